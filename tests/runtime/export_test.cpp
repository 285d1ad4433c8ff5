// A capsule as plain files, and what is left when that fails.
#include <fcntl.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

#include "async/process.hpp"
#include "fakes/fake_save_image.hpp"
#include "machine/reading.hpp"
#include "runtime/running_world.hpp"

namespace satchel::test {

namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

Names names_in(const fs::path& directory) {
  Names out;
  for (const auto& each : fs::recursive_directory_iterator(directory))
    if (!each.is_directory()) out.push_back(fs::relative(each.path(), directory).string());
  std::sort(out.begin(), out.end());
  return out;
}

int qemu_img(std::vector<std::string> arguments) {
  ProcessRun run;
  run.arguments = std::move(arguments);
  run.arguments.insert(run.arguments.begin(), "qemu-img");
  return run_process(run).exit_status;
}

/// A machine that has counted to two and was ejected: generations 1 and 2 are on the device.
struct ExportWorld : RunningWorld {
  fs::path to = scratch.path() / "out";

  ExportWorld() : RunningWorld(2) { fs::create_directory(to); }
  void eject() {
    REQUIRE(anvil.result([&] { return anvil.host().eject(capsule); }) == "done");
  }
  ExportRequest request() const {
    ExportRequest out;
    out.capsule = capsule;
    out.directory.reset(::open(to.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    out.path = "/nowhere/out";
    return out;
  }
  std::string export_it(ExportRequest what) {
    return anvil.result([&] { return anvil.host().export_to(std::move(what)); });
  }
};

}  // namespace

TEST_CASE("an ejected machine is exported as domain XML, a flat disk and a save image") {
  ExportWorld world;
  world.eject();
  INFO(world.anvil.log.all());
  REQUIRE(world.export_it(world.request()) == "done");
  CHECK(names_in(world.to) == Names{"README.txt", "domain.xml", "guest.save", "vda.qcow2"});
  const auto image = read_fake_save(world.to / "guest.save");
  CHECK(image.counter == 2);
  const auto xml = content(world.to / "domain.xml");
  CHECK(image.xml == xml);
  const auto machine = machine::read_domain(xml);
  REQUIRE(machine);
  CHECK(machine->machine.id == world.guest);
  CHECK(machine->machine.name == "traveller");
  REQUIRE(machine->disks.size() == 1);
  CHECK(machine->disks[0].path == "/nowhere/out/vda.qcow2");
  CHECK(machine->disks[0].format == "qcow2");
  CHECK(machine->disks[0].backing.empty());
  CHECK(xml.find("fdgroup") == std::string::npos);
  const auto disk = (world.to / "vda.qcow2").string();
  CHECK(qemu_img({"check", "-q", "-f", "qcow2", disk}) == 0);
  const auto own = (world.scratch.path() / "anvil" / "traveller.raw").string();
  CHECK(qemu_img({"compare", "-q", "-f", "qcow2", "-F", "raw", disk, own}) == 0);
  const auto readme = content(world.to / "README.txt");
  CHECK(readme.find("virsh restore /nowhere/out/guest.save") != std::string::npos);

  SECTION("and its device may be unplugged again") {
    CHECK(world.anvil.state(world.capsule) == "safe");
    CHECK(world.anvil.capsule(world.capsule)->can_unplug);
    CHECK(world.anvil.volumes.done().back() == "unmount /dev/fake1");
  }
}

TEST_CASE("nothing is merged beneath an export") {
  ExportWorld world;
  auto& anvil = world.anvil;
  const auto job = anvil.host().export_to(world.request());
  CHECK_THROWS_WITH(anvil.host().merge(world.capsule, Commands::WhenNeeded::refuse),
                    Catch::Contains("an export reads the device's files now"));
  CHECK(anvil.end_of(job).result == "done");
  CHECK(anvil.result([&] {
    return anvil.host().merge(world.capsule, Commands::WhenNeeded::refuse);
  }) == "done");
}

TEST_CASE("an export says what it goes to by the descriptor when nobody names it") {
  ExportWorld world;
  world.eject();
  auto request = world.request();
  request.path.clear();
  REQUIRE(world.export_it(std::move(request)) == "done");
  const auto machine = machine::read_domain(content(world.to / "domain.xml"));
  REQUIRE(machine);
  CHECK(machine->disks.at(0).path == (world.to / "vda.qcow2").string());
}

TEST_CASE("a guest that was paused stays paused after a restore of its export") {
  ExportWorld world;
  world.anvil.await(world.anvil.hypervisor.pause(world.guest));
  world.eject();
  REQUIRE(world.export_it(world.request()) == "done");
  const auto image = content(world.to / "guest.save");
  CHECK(image.substr(24, 4) == std::string(4, '\0'));  // libvirt's was_running
}

TEST_CASE("without memory the disks alone are exported") {
  ExportWorld world;
  world.eject();
  auto request = world.request();
  request.memory = ExportRequest::Memory::without;
  REQUIRE(world.export_it(std::move(request)) == "done");
  CHECK(names_in(world.to) == Names{"README.txt", "domain.xml", "vda.qcow2"});
  CHECK(content(world.to / "README.txt").find("virsh restore") == std::string::npos);
}

TEST_CASE("a chain is exported as it is on the device") {
  ExportWorld world;
  world.eject();
  auto request = world.request();
  request.layout = ExportRequest::Layout::chain;
  REQUIRE(world.export_it(std::move(request)) == "done");
  CHECK(names_in(world.to) == Names{"README.txt", "domain.xml", "guest.save", "vda/cow.qcow2",
                                    "vda/image.qcow2", "vda/layer-2.qcow2"});
  for (const char* name : {"vda/cow.qcow2", "vda/image.qcow2", "vda/layer-2.qcow2"})
    CHECK(content(world.to / name) == content(world.on_device(world.capsule) / name));
  const auto machine = machine::read_domain(content(world.to / "domain.xml"));
  REQUIRE(machine);
  CHECK(machine->disks.at(0).path == "/nowhere/out/vda/layer-2.qcow2");
  CHECK(machine->disks.at(0).backing.size() == 2);
  CHECK(qemu_img({"check", "-q", "-f", "qcow2", (world.to / "vda/layer-2.qcow2").string()}) == 0);
}

TEST_CASE("either generation that the device keeps can be exported, and no other") {
  ExportWorld world;
  world.eject();
  auto request = world.request();
  SECTION("the one before, which has no memory yet") {
    request.generation = Sequence(1);
    REQUIRE(world.export_it(std::move(request)) == "done");
    CHECK(names_in(world.to) == Names{"README.txt", "domain.xml", "vda.qcow2"});
  }
  SECTION("one that it does not have") {
    request.generation = Sequence(7);
    const auto end = world.export_it(std::move(request));
    CHECK(end.find("BadRequest") != std::string::npos);
    CHECK(end.find("1, 2") != std::string::npos);
    CHECK(names_in(world.to).empty());
  }
}

TEST_CASE("the newest generation of a running machine is exported while it runs on") {
  ExportWorld world;
  REQUIRE(world.export_it(world.request()) == "done");
  CHECK(names_in(world.to) == Names{"README.txt", "domain.xml", "vda.qcow2"});
  CHECK(world.anvil.state(world.capsule) == "running");
  CHECK(world.anvil.guest(world.guest)->state == GuestState::running);
  world.eject();
}

TEST_CASE("an export that fails leaves nothing in the directory") {
  ExportWorld world;
  world.eject();
  auto request = world.request();
  std::string expected;
  Names left;
  SECTION("when the memory on the device is damaged") {
    const auto pages = world.on_device(world.capsule) / "memory" / "2.pages";
    std::fstream file(pages, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(fs::file_size(pages) / 2));
    file << "changed";
    expected = "block";
  }
  SECTION("when something is in it already, which stays") {
    std::ofstream(world.to / "mine") << "mine";
    expected = "not empty";
    left = {"mine"};
  }
  SECTION("when libvirt can't be asked") {
    world.anvil.hypervisor.fail(FakeHypervisor::Call::ability);
    expected = "Error.";
  }
  const auto end = world.export_it(std::move(request));
  INFO(end);
  CHECK(end.find(expected) != std::string::npos);
  CHECK(names_in(world.to) == left);
  CHECK(world.anvil.state(world.capsule) == "safe");
}

TEST_CASE("an export that is cancelled leaves nothing in the directory") {
  ExportWorld world;
  world.eject();
  const auto job = world.anvil.host().export_to(world.request());
  world.anvil.host().cancel(job);
  CHECK(world.anvil.end_of(job).result == "cancelled");
  CHECK(names_in(world.to).empty());
}

TEST_CASE("what is no directory, or has no path that can be written down, is refused") {
  ExportWorld world;
  world.eject();
  auto request = world.request();
  SECTION("a file") { request.directory.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }
  SECTION("a path descriptor") {
    request.directory.reset(::open(world.to.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  SECTION("a relative path") { request.path = "out"; }
  SECTION("a path with a line feed") { request.path = "/tmp/o\nut"; }
  CHECK_THROWS_AS(world.anvil.host().export_to(std::move(request)), Fault);
  CHECK(names_in(world.to).empty());
}

TEST_CASE("a machine whose device is gone can't be exported") {
  ExportWorld world;
  world.anvil.pull();
  REQUIRE(world.anvil.reaches(world.capsule, "stranded"));
  world.anvil.wait_for_jobs();
  CHECK_THROWS_AS(world.anvil.host().export_to(world.request()), Fault);
}

TEST_CASE("a newest generation that can't be read is not replaced by an older one in silence") {
  ExportWorld world;
  world.eject();
  const auto pages = world.on_device(world.capsule) / "memory/2.pages";
  const auto hidden = world.scratch.path() / "pages";
  fs::rename(pages, hidden);
  CHECK(world.export_it(world.request()) != "done");
  CHECK(names_in(world.to).empty());
  auto older = world.request();
  older.generation = Sequence(1);
  CHECK(world.export_it(std::move(older)) == "done");
  fs::remove_all(world.to);
  fs::create_directory(world.to);
  fs::rename(hidden, pages);
  CHECK(world.export_it(world.request()) == "done");
  CHECK(names_in(world.to) == Names{"README.txt", "domain.xml", "guest.save", "vda.qcow2"});
}

}  // namespace satchel::test
