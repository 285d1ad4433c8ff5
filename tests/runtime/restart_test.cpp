// The daemon stopped and started: a session goes on, an interrupted job is undone.
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "hibernation/save_image.hpp"
#include "runtime/running_world.hpp"
#include "runtime/sessions.hpp"
#include "session/samples.hpp"

namespace satchel::test {

namespace {

using Call = FakeHypervisor::Call;

struct RestartWorld : RunningWorld {
  RestartWorld() : RunningWorld(1) {}
};

}  // namespace

TEST_CASE("a restart of the daemon does not disturb a running guest") {
  RestartWorld world;
  auto& anvil = world.anvil;
  const auto count = [&](Call call) { return anvil.hypervisor.count(call); };
  const auto touched = count(Call::pause) + count(Call::save) + count(Call::destroy) +
                       count(Call::resume) + count(Call::define) + count(Call::start);
  anvil.stop();
  CHECK(anvil.guest(world.guest)->state == GuestState::running);
  anvil.start();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  anvil.wait_for_jobs();
  INFO(anvil.log.all());
  CHECK(count(Call::pause) + count(Call::save) + count(Call::destroy) + count(Call::resume) +
            count(Call::define) + count(Call::start) ==
        touched);
  anvil.hypervisor.tick(world.guest);
  CHECK(anvil.counter(world.guest) == 2);
  CHECK(anvil.result([&] { return anvil.host().eject(world.capsule); }) == "done");
  CHECK(anvil.state(world.capsule) == "safe");
}

TEST_CASE("an eject asked for while the device is still examined ends as the eject does") {
  RestartWorld world;
  auto& anvil = world.anvil;
  anvil.stop();
  anvil.start();
  CHECK(anvil.result([&] { return anvil.host().eject(world.capsule); }) == "done");
  CHECK(anvil.state(world.capsule) == "safe");
  CHECK(world.head(world.capsule).hibernation);
}

TEST_CASE("a session whose device went while no daemon ran is stranded at the start") {
  RestartWorld world;
  auto& anvil = world.anvil;
  anvil.stop();
  anvil.pull();
  anvil.start();
  REQUIRE(anvil.reaches(world.capsule, "stranded"));
  anvil.wait_for_jobs();
  INFO(anvil.log.all());
  CHECK(std::filesystem::exists(anvil.session_directory(world.capsule) / "guest.save"));
  anvil.plug();
  CHECK(anvil.reaches(world.capsule, "running"));
  CHECK(anvil.counter(world.guest) == 1);
}

TEST_CASE("a guest that shut down while no daemon ran is checked in without memory") {
  RestartWorld world;
  auto& anvil = world.anvil;
  anvil.stop();
  anvil.hypervisor.guest_shuts_down(world.guest);
  anvil.start();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  CHECK(anvil.result([&] { return anvil.host().eject(world.capsule); }) == "done");
  CHECK_FALSE(world.head(world.capsule).hibernation);
}

TEST_CASE("stopping the daemon during an eject leaves the guest running") {
  RestartWorld world;
  auto& anvil = world.anvil;
  anvil.hypervisor.stall_save();
  anvil.host().eject(world.capsule);
  REQUIRE(anvil.until([&] { return anvil.hypervisor.count(Call::save) > 0; }));
  anvil.stop();
  CHECK(anvil.guest(world.guest)->state == GuestState::running);
  CHECK(world.head(world.capsule).generation.seq == Sequence(1));
  anvil.start();
  CHECK(anvil.reaches(world.capsule, "running"));
}

TEST_CASE("a guest that an eject had stopped runs, whatever a libvirt that has just started says") {
  RestartWorld world;
  auto& anvil = world.anvil;
  const auto journal = anvil.session_directory(world.capsule) / "journal";
  const auto kept = world.scratch.path() / "journal";
  anvil.hypervisor.stall_save();
  bool began = false;
  anvil.hypervisor.within_stream = [&] { began = std::filesystem::copy_file(journal, kept); };
  anvil.host().eject(world.capsule);
  REQUIRE(anvil.until([&] { return began; }));
  anvil.stop();
  // As a daemon leaves it that is killed there, with its libvirt.
  std::filesystem::copy_file(kept, journal, std::filesystem::copy_options::overwrite_existing);
  anvil.hypervisor.stop_unnoticed(world.guest);
  anvil.start();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  INFO(anvil.log.all());
  CHECK(anvil.guest(world.guest)->state == GuestState::running);
  const auto count = anvil.counter(world.guest);
  anvil.hypervisor.tick(world.guest);
  CHECK(anvil.counter(world.guest) == count + 1);
}

TEST_CASE("a guest that libvirt is letting go of when the daemon is back is on its device alone") {
  RestartWorld world;
  auto& anvil = world.anvil;
  const auto journal = anvil.session_directory(world.capsule) / "journal";
  const auto kept = world.scratch.path() / "journal";
  SECTION("it ran before the eject") {}
  SECTION("somebody had paused it") { anvil.await(anvil.hypervisor.pause(world.guest)); }
  anvil.hypervisor.at_streams_end = [&] { std::filesystem::copy_file(journal, kept); };
  CHECK(anvil.result([&] { return anvil.host().eject(world.capsule); }) == "done");
  REQUIRE(anvil.until([&] { return !anvil.has_session(world.capsule); }));
  anvil.stop();
  // As a daemon leaves it that is killed right after the commit.
  std::filesystem::create_directories(journal.parent_path());
  std::filesystem::copy_file(kept, journal);
  anvil.hypervisor.leave_save(world.guest);
  anvil.plug();
  anvil.start();
  anvil.wait_for_jobs();
  INFO(anvil.log.all());
  REQUIRE(anvil.reaches(world.capsule, "ready"));
  CHECK(anvil.until([&] { return !anvil.has_session(world.capsule); }));
  CHECK(world.head(world.capsule).hibernation);
}

TEST_CASE("a save to this computer that libvirt completes without the daemon counts") {
  RestartWorld world;
  auto& anvil = world.anvil;
  const auto journal = anvil.session_directory(world.capsule) / "journal";
  const auto kept = world.scratch.path() / "journal";
  anvil.hypervisor.at_streams_end = [&] { std::filesystem::copy_file(journal, kept); };
  anvil.pull();
  REQUIRE(anvil.reaches(world.capsule, "stranded"));
  anvil.stop();
  std::filesystem::copy_file(kept, journal, std::filesystem::copy_options::overwrite_existing);
  SECTION("whole") {
    anvil.start();
    REQUIRE(anvil.reaches(world.capsule, "stranded"));
    anvil.plug();
    REQUIRE(anvil.reaches(world.capsule, "running"));
    CHECK(anvil.guest(world.guest)->state == GuestState::running);
    CHECK(anvil.counter(world.guest) == 1);
  }
  SECTION("while the next daemon is there already") {
    const auto overlay = anvil.session_directory(world.capsule) / "vda.qcow2";
    anvil.hypervisor.leave_save(world.guest, {{"vda", overlay.string()}});
    anvil.start();
    REQUIRE(anvil.reaches(world.capsule, "stranded"));
    anvil.wait_for_jobs();
    INFO(anvil.log.all());
    anvil.plug();
    REQUIRE(anvil.reaches(world.capsule, "running"));
    anvil.wait_for_jobs();
    CHECK(anvil.guest(world.guest)->state == GuestState::running);
    CHECK(anvil.counter(world.guest) == 1);
  }
  SECTION("cut off") {
    std::filesystem::resize_file(anvil.session_directory(world.capsule) / "guest.save", 10);
    anvil.start();
    REQUIRE(anvil.reaches(world.capsule, "stranded"));
    anvil.plug();
    REQUIRE(anvil.reaches(world.capsule, "running"));
    CHECK(anvil.log.says("was not written whole"));
    CHECK(anvil.guest(world.guest)->state == GuestState::shut_off);
    CHECK(anvil.result([&] { return anvil.host().eject(world.capsule); }) == "done");
    CHECK_FALSE(world.head(world.capsule).hibernation);
  }
}

TEST_CASE(
    "a save that was cut short with all of the memory written counts when nothing came after it") {
  RestartWorld world;
  auto& anvil = world.anvil;
  const auto directory = anvil.session_directory(world.capsule);
  const auto journal = directory / "journal";
  const auto kept = world.scratch.path() / "journal";
  anvil.hypervisor.at_streams_end = [&] { std::filesystem::copy_file(journal, kept); };
  anvil.hypervisor.fail_save_after_stream();
  anvil.pull();
  REQUIRE(anvil.until([&] { return std::filesystem::exists(kept); }));
  anvil.wait_for_jobs();
  anvil.stop();
  // libvirt went away within that save, with the daemon, and QEMU has come to its end.
  anvil.await(anvil.hypervisor.pause(world.guest));
  std::filesystem::copy_file(kept, journal, std::filesystem::copy_options::overwrite_existing);
  anvil.hypervisor.at_streams_end = {};
  std::string stream("LibvirtQemudPart QEVM\0\6\0\0\0\2{}", 29);
  bool counts = false;
  SECTION("it has") { counts = true; }
  SECTION("it has, and the daemon was killed once more when QEMU had refused") {
    counts = true;
    std::ofstream(directory / "guest.save.cut", std::ios::binary) << stream;
    stream = "LibvirtQemudPart";
  }
  SECTION("it has not: the stream has no end") { stream.resize(20); }
  SECTION("a disk was written to since") {}
  std::ofstream(directory / "guest.save", std::ios::binary) << stream;
  if (!counts)
    std::filesystem::last_write_time(
        directory / "vda.qcow2",
        std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  anvil.hypervisor.fail(Call::save, 1, Remedy::choose);
  anvil.start();
  REQUIRE(anvil.reaches(world.capsule, "stranded"));
  anvil.wait_for_jobs();
  INFO(anvil.log.all());
  CHECK(anvil.log.says("; it counts") == counts);
  CHECK(is_alive(anvil.guest(world.guest)) == !counts);
  CHECK(hibernation::is_finished_save(directory / "guest.save") == counts);
}

TEST_CASE("a daemon that is started while libvirt is away waits for it, and says so") {
  RestartWorld world;
  auto& anvil = world.anvil;
  anvil.stop();
  anvil.hypervisor.lose_connection();
  anvil.start();
  CHECK(anvil.log.says("what became of traveller here is not known, and no device is used until"));
  CHECK(anvil.host().view().devices.empty());
  CHECK(anvil.host().view().detail.find("traveller") != std::string::npos);
  const auto refused = [&](const std::function<void()>& ask) {
    try {
      ask();
    } catch (const Fault& fault) {
      return std::string(fault.what()).find("libvirt does not answer") != std::string::npos;
    }
    return false;
  };
  CHECK(refused([&] { anvil.host().eject(world.capsule); }));
  CHECK(refused([&] { anvil.host().format({"/dev/fake1", "ext4", "SATCHEL"}); }));
  CHECK(refused([&] { anvil.host().probe("/dev/fake1"); }));
  CHECK(refused([&] { anvil.await(anvil.host().drop_cache(std::nullopt)); }));
  const auto findings = anvil.await(anvil.host().diagnose(Commands::Measure::no));
  CHECK(std::ranges::any_of(findings, [](const Finding& each) {
    return each.check == "sessions" && each.found.find("traveller") != std::string::npos;
  }));
  anvil.hypervisor.regain_connection();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  CHECK(anvil.host().view().detail.empty());
  world.tick(anvil);
  CHECK(world.eject() == "done");
}

TEST_CASE("what became of a guest while libvirt was away is asked when it is back") {
  RestartWorld world;
  auto& anvil = world.anvil;
  anvil.hypervisor.lose_connection();
  REQUIRE(anvil.until([&] { return anvil.host().view().hypervisor.empty(); }));
  const auto detail = anvil.detail(world.capsule);
  SECTION("it has shut down") {
    anvil.hypervisor.guest_shuts_down(world.guest);
    anvil.hypervisor.regain_connection();
    CHECK(anvil.until([&] { return anvil.detail(world.capsule) != detail; }));
    CHECK(anvil.result([&] { return anvil.host().eject(world.capsule); }) == "done");
    CHECK_FALSE(world.head(world.capsule).hibernation);
  }
  SECTION("one of its disks has failed") {
    anvil.hypervisor.disk_fails(world.guest, "no space");
    anvil.hypervisor.regain_connection();
    CHECK(anvil.until([&] {
      return anvil.detail(world.capsule).find("because a disk failed") != std::string::npos;
    }));
  }
  SECTION("nothing") {
    anvil.hypervisor.regain_connection();
    REQUIRE(anvil.until([&] { return !anvil.host().view().hypervisor.empty(); }));
    CHECK(anvil.state(world.capsule) == "running");
    CHECK(anvil.detail(world.capsule) == detail);
  }
}

TEST_CASE("too little room on this computer is told once, and shown, while a machine runs") {
  RestartWorld world;
  auto& anvil = world.anvil;
  const auto shown = [&] { return anvil.detail(world.capsule).find("disk has only"); };
  CHECK(shown() == std::string::npos);
  anvil.stop();
  anvil.config.space.keep_free_host = ByteCount(1ULL << 60);
  anvil.start();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  anvil.wait_for_jobs();
  REQUIRE(anvil.until([&] { return shown() != std::string::npos; }));
  CHECK_FALSE(anvil.capsule(world.capsule)->next_step.empty());
  CHECK(anvil.log.times("disk has only") == 1);
  CHECK(anvil.result([&] { return anvil.host().eject(world.capsule); }) == "done");
  CHECK(shown() == std::string::npos);
  CHECK(anvil.log.times("disk has only") == 1);
}

TEST_CASE("what a removal that was cut short has left of a session goes with the next start") {
  RestartWorld world;
  auto& anvil = world.anvil;
  anvil.stop();
  const auto sessions = anvil.session_directory(world.capsule).parent_path();
  const auto ended = sessions / samples::uuid(77).str();
  const auto unknown = sessions / samples::uuid(78).str();
  std::filesystem::create_directory(ended);
  std::filesystem::create_directory(unknown);
  std::ofstream(ended / "ended") << "{}";
  std::ofstream(ended / "vda.qcow2") << "merged";
  std::ofstream(unknown / "vda.qcow2") << "precious";
  anvil.start();
  CHECK_FALSE(std::filesystem::exists(ended));
  CHECK(anvil.log.says("the rest of a session that had ended"));
  CHECK(std::filesystem::exists(unknown / "vda.qcow2"));
  CHECK(anvil.log.says(unknown.string() + ": holds files of a session, and no journal"));
  CHECK(anvil.guest(world.guest)->state == GuestState::running);
}

TEST_CASE("a journal that can't be read is told and left as it is") {
  RestartWorld world;
  auto& anvil = world.anvil;
  anvil.stop();
  const auto journal = anvil.session_directory(world.capsule) / "journal";
  std::filesystem::resize_file(journal, 10);
  anvil.start();
  CHECK(anvil.log.says("left as it is"));
  CHECK(std::filesystem::file_size(journal) == 10);
  CHECK(anvil.guest(world.guest)->state == GuestState::running);

  // Nothing is put in its place either.
  anvil.hypervisor.guest_shuts_down(world.guest);
  const auto overlay = anvil.session_directory(world.capsule) / "vda.qcow2";
  std::filesystem::resize_file(overlay, 1 << 20);
  REQUIRE(anvil.reaches(world.capsule, "ready"));
  LaunchRequest request;
  request.capsule = world.capsule;
  request.when_checked_out = LaunchRequest::CheckedOut::take_over;
  anvil.result([&] { return anvil.host().launch(request); });
  CHECK(anvil.ends.back().message.find("Move the directory aside") != std::string::npos);
  CHECK(std::filesystem::file_size(overlay) == 1 << 20);
}

}  // namespace satchel::test
