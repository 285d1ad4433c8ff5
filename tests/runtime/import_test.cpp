// A capsule from plain files: exports of ours and other people's sets.
#include <cstring>

#include "runtime/import_world.hpp"

namespace satchel::test {

namespace {

/// QEMU's stream in a save image.
std::string stream_of(const fs::path& save) {
  const auto all = content(save);
  std::uint32_t length = 0;
  std::memcpy(&length, all.data() + 20, sizeof length);
  return all.substr(92 + length);
}

}  // namespace

TEST_CASE("an export that is imported goes on where the machine was") {
  ImportWorld world;
  INFO(world.anvil.log.all());
  REQUIRE(world.import_it(world.request()) == "done");
  const auto capsule = world.imported();
  CHECK(world.anvil.state(capsule) == "ready");
  const auto head = world.imported_head();
  CHECK(head.generation.seq == Sequence(1));
  CHECK(head.history.at(0).what == "import");
  CHECK(head.name == "traveller");
  REQUIRE(head.hibernation);
  CHECK_FALSE(head.checked_out);

  world.anvil.pull(second);
  auto& bellows = world.bellows;
  bellows.start();
  bellows.plug(second, "0000-0002");
  REQUIRE(bellows.reaches(capsule, "ready"));
  LaunchRequest launch;
  launch.capsule = capsule;
  REQUIRE(bellows.result([&] { return bellows.host().launch(launch); }) == "done");
  CHECK(bellows.counter(world.guest) == 2);
  CHECK(bellows.guest(world.guest)->state == GuestState::running);
}

TEST_CASE("exported, imported and exported again, disks and memory are the same") {
  ImportWorld world;
  REQUIRE(world.import_it(world.request()) == "done");
  const auto again = world.scratch.path() / "again";
  world.export_it(world.imported(), again);
  CHECK(stream_of(again / "guest.save") == stream_of(world.set / "guest.save"));
  qemu_img({"compare", "-q", "-f", "qcow2", "-F", "qcow2", (again / "vda.qcow2").string(),
            (world.set / "vda.qcow2").string()});
  auto xml = content(again / "domain.xml");
  xml = replaced(xml, again.string(), world.set.string());
  CHECK(xml == content(world.set / "domain.xml"));
}

TEST_CASE("a foreign set, named otherwise and on a chain over a raw file, is imported") {
  ImportWorld world;
  const auto& set = world.set;
  fs::remove(set / "README.txt");
  fs::rename(set / "domain.xml", set / "machine.xml");
  fs::rename(set / "guest.save", set / "memory.bin");
  qemu_img({"convert", "-f", "qcow2", "-O", "raw", (set / "vda.qcow2").string(),
            (set / "base.raw").string()});
  fs::remove(set / "vda.qcow2");
  // The names of another computer: what counts is the last part.
  qemu_img({"create", "-q", "-f", "qcow2", "-u", "-b", "/srv/images/base.raw", "-F", "raw",
            (set / "vda.qcow2").string(), "1M"});
  auto request = world.request();
  request.path = "/somewhere/else";
  INFO(world.anvil.log.all());
  REQUIRE(world.import_it(std::move(request)) == "done");
  const auto head = world.imported_head();
  CHECK(head.hibernation);
  const auto image =
      world.device(second) / "satchel" / world.imported().value.str() / "vda/image.qcow2";
  qemu_img(
      {"compare", "-q", "-f", "qcow2", "-F", "raw", image.string(), (set / "base.raw").string()});
}

TEST_CASE("a machine without a save image boots, and so does one whose memory is not wanted") {
  ImportWorld world;
  auto request = world.request();
  SECTION("there is none") { fs::remove(world.set / "guest.save"); }
  SECTION("it is not wanted") { request.memory = ImportRequest::Memory::without; }
  request.name = "renamed";
  REQUIRE(world.import_it(std::move(request)) == "done");
  const auto head = world.imported_head();
  CHECK_FALSE(head.hibernation);
  CHECK(head.name == "renamed");
}

TEST_CASE("a save image alone describes its machine") {
  ImportWorld world;
  fs::remove(world.set / "domain.xml");
  REQUIRE(world.import_it(world.request()) == "done");
  CHECK(world.imported_head().hibernation);
}

TEST_CASE("firmware variables come along, and a machine with EFI is nothing without them") {
  ImportWorld world;
  const auto domain = world.set / "domain.xml";
  fs::remove(world.set / "guest.save");
  auto xml = replaced(content(domain), "<os", "<os firmware='efi'");
  xml = replaced(xml, "</os>", "<nvram>/var/lib/libvirt/qemu/nvram/t.fd</nvram></os>");
  write(domain, xml);
  SECTION("they are there") {
    write(world.set / "t.fd", "variables");
    INFO(world.anvil.log.all());
    REQUIRE(world.import_it(world.request()) == "done");
    const auto head = world.imported_head();
    REQUIRE(head.nvram);
    CHECK(content(world.device(second) / "satchel" / world.imported().value.str() / *head.nvram) ==
          "variables");
  }
  SECTION("they are not") {
    CHECK(world.import_it(world.request()).find("variables") != std::string::npos);
    CHECK(world.second_is_empty());
  }
}

TEST_CASE("a capsule gets the UUID that is asked for, once") {
  ImportWorld world;
  const CapsuleId wanted(Uuid::random());
  auto request = world.request();
  request.capsule = wanted;
  REQUIRE(world.import_it(std::move(request)) == "done");
  CHECK(world.imported() == wanted);
  auto again = world.request();
  again.capsule = wanted;
  CHECK_THROWS_AS(world.anvil.host().import_from(std::move(again)), Fault);
  CHECK(world.anvil.state(wanted) == "ready");
  CHECK(world.imported_head().hibernation);
}

TEST_CASE("an import that is cancelled leaves nothing on the device") {
  ImportWorld world;
  const auto job = world.anvil.host().import_from(world.request());
  world.anvil.host().cancel(job);
  CHECK(world.anvil.end_of(job).result == "cancelled");
  CHECK(world.second_is_empty());
}

}  // namespace satchel::test
