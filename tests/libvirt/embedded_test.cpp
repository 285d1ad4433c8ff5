#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "base/fault.hpp"
#include "contract.hpp"

using namespace satchel;
using namespace satchel::test;

namespace {

Subject subject() {
  auto& world = EmbeddedWorld::instance();
  return {world, world.hypervisor, world.events, world.directory.path()};
}

/// How often this process, libvirt's driver included, has the file open.
std::size_t times_open(const std::string& path) {
  std::size_t times = 0;
  for (const auto& fd : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (std::filesystem::read_symlink(fd.path(), gone) == path) ++times;
  }
  return times;
}

std::vector<LentFiles> lend_pair(const std::string& cow, const std::string& base) {
  std::vector<LentFiles> files(2);
  files[0].group = "cow";
  files[0].descriptors.emplace_back(::open(cow.c_str(), O_RDWR | O_CLOEXEC));
  files[1].group = "base";
  files[1].descriptors.emplace_back(::open(base.c_str(), O_RDONLY | O_CLOEXEC));
  return files;
}

void make_overlay(const std::string& path, const std::string& backing) {
  REQUIRE(std::system(("qemu-img create -q -u -f qcow2 -F raw -b " + backing + " " + path + " 2M")
                          .c_str()) == 0);
}

}  // namespace

TEST_CASE("real guests under the embedded driver keep the contract") {
  SECTION("definitions") { a_definition_is_kept_until_it_is_removed(subject()); }
  SECTION("life") { a_guest_starts_pauses_resumes_and_ends(subject()); }
  SECTION("refusals") { what_makes_no_sense_is_refused(subject()); }
  SECTION("save") { a_saved_guest_is_gone_only_after_the_second_open(subject()); }
  SECTION("refused save") { a_refused_save_leaves_the_guest_as_it_was(subject()); }
  SECTION("persistence") { a_session_leaves_the_persistent_definition_alone(subject()); }
  SECTION("lending") { files_are_lent_for_one_start(subject()); }
  SECTION("overlays") { overlays_go_on_and_off(subject()); }
  SECTION("a snapshot") { a_snapshot_leaves_the_guest_running(subject()); }
  SECTION("merge") { layers_are_merged_below_the_topmost_file(subject()); }
  SECTION("stopped merge") { a_merge_is_stopped_and_its_chain_stays(subject()); }
  SECTION("left merge") { what_an_earlier_merge_left_at_work_is_ended(subject()); }
  SECTION("processors") { a_shared_processor_runs_here(subject()); }
}

TEST_CASE("a real guest works on lent files alone, whatever backing names their headers hold") {
  auto& world = EmbeddedWorld::instance();
  auto& hypervisor = world.hypervisor;
  TinyGuest guest;
  guest.name = "lent";
  guest.serial = world.path("lent.log");
  const auto cow = world.path("lent-cow.qcow2");
  const auto base = world.path("lent-base.raw");
  write_whole(base, boot_disk('L'));
  make_overlay(cow, "nowhere.raw");
  for (const auto& path : {cow, base}) REQUIRE(::chmod(path.c_str(), 0600) == 0);
  TinyDisk disk;
  disk.path = "/nowhere/cow";
  disk.group = "cow";
  disk.backing = "/nowhere/base";
  disk.backing_group = "base";
  guest.disks = disk.xml();
  // "L3L4": sector 2 as the base has it, and the count. "!" is a failed request.
  const auto goes_on = [&] {
    const auto before = read_whole(guest.serial).size();
    const bool counted = world.until([&] { return read_whole(guest.serial).size() > before + 20; });
    return counted && read_whole(guest.serial).find('!') == std::string::npos &&
           read_whole(guest.serial).substr(before, 20).find('L') != std::string::npos;
  };
  world.run(hypervisor.define(guest.xml()));
  world.run(hypervisor.lend(guest.id, lend_pair(cow, base)));
  CHECK(times_open(base) == 1);
  world.run(hypervisor.start(guest.id, guest.xml()));
  CHECK(goes_on());

  // Nothing here keeps the files' filesystem busy, while the guest runs or later.
  CHECK(times_open(base) == 0);
  CHECK(times_open(cow) == 0);

  // An overlay whose header names a file that would be something else entirely.
  const auto over = world.path("lent-over.qcow2");
  make_overlay(over, "/etc/hostname");
  std::vector<Hypervisor::Overlay> overlays{{"vda", over}};
  world.run(hypervisor.overlay_disks(guest.id, overlays));
  CHECK(goes_on());
  world.run(hypervisor.merge_overlays(guest.id, {"vda"}));
  CHECK(goes_on());

  const auto image = world.path("lent.save");
  world.run(hypervisor.save(guest.id, image));
  CHECK(times_open(base) + times_open(cow) == 0);
  world.run(hypervisor.lend(guest.id, lend_pair(cow, base)));
  world.run(hypervisor.restore(guest.id, image, {}));
  world.run(hypervisor.resume(guest.id));
  CHECK(goes_on());
  CHECK(times_open(base) + times_open(cow) == 0);
  world.run(hypervisor.destroy(guest.id));

  // A loan can be taken back before it is used.
  world.run(hypervisor.lend(guest.id, lend_pair(cow, base)));
  std::vector<LentFiles> back(2);
  back[0].group = "cow";
  back[1].group = "base";
  world.run(hypervisor.lend(guest.id, std::move(back)));
  CHECK(times_open(base) + times_open(cow) == 0);
  CHECK_THROWS_AS(world.run(hypervisor.start(guest.id, guest.xml())), Fault);
  world.run(hypervisor.undefine(guest.id));
}

TEST_CASE("a disk that fails is told with its reason, and the guest waits") {
  auto& world = EmbeddedWorld::instance();
  auto& hypervisor = world.hypervisor;
  TinyGuest guest;
  guest.name = "failing";
  TinyDisk disk;
  disk.path = "/nowhere/cow";
  disk.group = "cow";
  disk.backing = "/nowhere/base";
  disk.backing_group = "base";
  guest.disks = disk.xml();
  const auto base = world.path("failing.raw");
  const auto cow = world.path("failing.qcow2");
  write_whole(base, boot_disk('F'));
  make_overlay(cow, "nowhere.raw");
  // A file that may not grow stands in for a stick that fails at the guest's first write.
  const auto header = read_whole(cow);
  UniqueFd fixed(::memfd_create("cow", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  REQUIRE(::write(fixed.get(), header.data(), header.size()) == ssize_t(header.size()));
  REQUIRE(::fcntl(fixed.get(), F_ADD_SEALS, F_SEAL_GROW) == 0);
  auto files = lend_pair(cow, base);
  files[0].descriptors[0] = std::move(fixed);
  world.run(hypervisor.define(guest.xml()));
  world.run(hypervisor.lend(guest.id, std::move(files)));
  world.run(hypervisor.start(guest.id, guest.xml()));
  CHECK(world.until([&] { return world.heard(guest.id, GuestEvent::What::paused_by_io_error); }));
  CHECK(world.events.back().detail.find("virtio-disk0") != std::string::npos);
  CHECK(world.run(hypervisor.find(guest.id))->state == GuestState::paused_by_io_error);
  world.run(hypervisor.destroy(guest.id));
  world.run(hypervisor.undefine(guest.id));
}

TEST_CASE("a guest without an agent keeps its clock") {
  auto& world = EmbeddedWorld::instance();
  TinyGuest guest;
  guest.name = "clock";
  world.run(world.hypervisor.define(guest.xml()));
  world.run(world.hypervisor.start(guest.id, guest.xml()));
  CHECK_FALSE(world.run(world.hypervisor.set_guest_time(guest.id)));
  world.run(world.hypervisor.destroy(guest.id));
  world.run(world.hypervisor.undefine(guest.id));
}
