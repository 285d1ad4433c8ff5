// satchelctl's commands against the real faces on a private bus, over a fake host.
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error_name.hpp"
#include "cli/desk.hpp"

using namespace satchel;
using namespace satchel::cli;
using test::Desk;

TEST_CASE("status shows the devices and capsules there are") {
  Desk desk;
  desk.host().host.capsules[0].detail = "It waits.";
  desk.host().listener.changed();
  desk.start(status(desk.context));
  REQUIRE(desk.ends());
  CHECK(desk.code == ExitCode::done);
  for (const char* word : {"Host alpha", "/dev/sdb1", "debian", "ready", "It waits."})
    CHECK(desk.out.str().find(word) != std::string::npos);
}

TEST_CASE("status for programs has the same") {
  Desk desk;
  desk.context.output = Output::json;
  desk.start(status(desk.context));
  REQUIRE(desk.ends());
  const auto json = nlohmann::json::parse(desk.out.str());
  CHECK(json["host"]["name"] == "alpha");
  CHECK(json["capsules"][0]["device"] == "/dev/sdb1");
  CHECK(json["capsules"][0]["generation"] == 3);
  CHECK(json["capsules"][0]["history"][0]["what"] == "eject");
  CHECK(json["devices"][0]["size"] == mebibytes(64).value);
}

TEST_CASE("eject says that the device can be unplugged when the property says so") {
  Desk desk;
  desk.host().host.devices[0].can_unplug = false;
  desk.host().listener.changed();
  desk.start(eject(desk.context, EjectOptions{"debian", false}));
  REQUIRE(desk.asks(1));
  CHECK(desk.host().asked[0] == "eject");
  desk.host().host.devices[0].can_unplug = true;
  desk.host().end(JobId(1), "done", "");
  REQUIRE(desk.ends());
  CHECK(desk.code == ExitCode::done);
  CHECK(desk.out.str().find("You can unplug the device now.") != std::string::npos);
}

TEST_CASE("an eject that merges too says what became of that") {
  Desk desk;
  EjectOptions options;
  options.merge = true;
  desk.start(eject(desk.context, options));
  REQUIRE(desk.asks(1));
  CHECK(desk.host().asked[0] == "eject merge");
  desk.host().end(JobId(1), "done", "Its layers are not merged: no room.");
  REQUIRE(desk.ends());
  CHECK(desk.code == ExitCode::done);
  CHECK(desk.out.str().find("Its layers are not merged: no room.") != std::string::npos);
  CHECK(desk.out.str().find("You can unplug the device now.") != std::string::npos);
}

TEST_CASE("merge, fold and compact say what they came to, or that there was nothing to do") {
  Desk desk;
  desk.start(merge(desk.context, UpkeepOptions{"debian", true}));
  REQUIRE(desk.asks(1));
  CHECK(desk.host().asked[0] == "merge although-needed");
  desk.host().end(JobId(1), "done", "");
  REQUIRE(desk.ends());
  CHECK(desk.out.str().find("'debian' has no layers now.") != std::string::npos);
  desk.start(fold(desk.context, UpkeepOptions{"debian", false}));
  REQUIRE(desk.asks(2));
  CHECK(desk.host().asked[1] == "fold");
  desk.host().end(JobId(2), "done", "There was nothing to fold.");
  REQUIRE(desk.ends());
  CHECK(desk.out.str().find("There was nothing to fold.") != std::string::npos);
  CHECK(desk.out.str().find("image file now") == std::string::npos);
  desk.start(compact(desk.context, UpkeepOptions{"debian", false}));
  REQUIRE(desk.asks(3));
  CHECK(desk.host().asked[2] == "compact");
  desk.host().end(JobId(3), "done", "");
  REQUIRE(desk.ends());
  CHECK(desk.out.str().find("'debian' has its memory in one piece now.") != std::string::npos);
}

TEST_CASE("how large the changes are and what is due is shown") {
  Desk desk;
  auto& capsule = desk.host().host.capsules[0];
  capsule.cow_size = mebibytes(5);
  capsule.cow_limit = mebibytes(4);
  capsule.due = {"merge", "fold"};
  desk.host().listener.changed();
  desk.start(show(desk.context, "debian"));
  REQUIRE(desk.ends());
  CHECK(desk.out.str().find("5.0 MiB of at most 4.0 MiB") != std::string::npos);
  CHECK(desk.out.str().find("merge, fold") != std::string::npos);
  desk.context.output = Output::json;
  desk.out.str("");
  desk.start(show(desk.context, "debian"));
  REQUIRE(desk.ends());
  CHECK(nlohmann::json::parse(desk.out.str())["due"] == nlohmann::json{"merge", "fold"});
}

TEST_CASE("eject does not say so while the property says no") {
  Desk desk;
  desk.host().host.devices[0].can_unplug = false;
  desk.host().listener.changed();
  desk.start(eject(desk.context, EjectOptions{}));
  REQUIRE(desk.asks(1));
  CHECK(desk.host().asked[0] == "eject device 1");
  desk.host().end(JobId(1), "done", "");
  REQUIRE(desk.ends());
  CHECK(desk.out.str().find("You can unplug") == std::string::npos);
}

TEST_CASE("a device that went with its power is told by its capsules") {
  Desk desk;
  desk.start(eject(desk.context, EjectOptions{"/dev/sdb1", false}));
  REQUIRE(desk.asks(1));
  desk.host().host.devices.clear();
  desk.host().host.capsules[0].device.reset();
  desk.host().end(JobId(1), "done", "");
  REQUIRE(desk.ends());
  CHECK(desk.out.str().find("You can unplug the device now.") != std::string::npos);
}

TEST_CASE("a failed job ends with the status of its error and says why") {
  Desk desk;
  desk.start(launch(desk.context, LaunchOptions{"debian", true, true, true}));
  REQUIRE(desk.asks(1));
  CHECK(desk.host().asked[0] == "launch take-over this-copy fresh");
  desk.host().end(JobId(1), bus_error_name(Remedy::free_space), "The disk is full. Free some.");
  REQUIRE(desk.ends());
  CHECK(desk.code == ExitCode::no_space);
  CHECK(desk.reason == "The disk is full. Free some.");
}

TEST_CASE("a request that the daemon refuses ends with its remedy's status") {
  Desk desk;
  desk.host().refusal = Fault(Remedy::choose, Fault::Text{"launch", "it", "beta has it", "Wait."});
  desk.start(launch(desk.context, LaunchOptions{"debian", false, false}));
  REQUIRE(desk.ends());
  CHECK(desk.code == ExitCode::choice_needed);
  CHECK(desk.reason.find("beta has it") != std::string::npos);
}

TEST_CASE("pack takes the only device") {
  Desk desk;
  desk.start(pack(desk.context, PackOptions{"web", "", "shop"}));
  REQUIRE(desk.asks(1));
  CHECK(desk.host().asked[0] == "pack web 1 shop");
  desk.host().end(JobId(1), "done", "");
  REQUIRE(desk.ends());
  CHECK(desk.code == ExitCode::done);
}

TEST_CASE("export makes the directory, says what comes next, and takes it away when it fails") {
  Desk desk;
  char place[] = "/tmp/satchel-cli-XXXXXX";
  REQUIRE(::mkdtemp(place) != nullptr);
  const auto to = std::string(place) + "/out";
  ExportOptions options;
  options.capsule = "debian";
  options.to = to;
  options.no_memory = true;
  desk.start(export_to(desk.context, options));
  REQUIRE(desk.asks(1));
  CHECK(desk.host().asked[0] == "export to " + to + " flat without memory");
  SECTION("it is done") {
    desk.host().end(JobId(1), "done", "");
    REQUIRE(desk.ends());
    CHECK(desk.code == ExitCode::done);
    CHECK(desk.out.str().find("virsh define " + to + "/domain.xml") != std::string::npos);
    CHECK(std::filesystem::exists(to));
  }
  SECTION("it fails") {
    desk.host().end(JobId(1), bus_error_name(Remedy::free_space), "It is full.");
    REQUIRE(desk.ends());
    CHECK(desk.code == ExitCode::no_space);
    CHECK_FALSE(std::filesystem::exists(to));
  }
  std::filesystem::remove_all(place);
}

TEST_CASE("import takes a directory that is there, to the only device") {
  Desk desk;
  ImportOptions options;
  options.name = "shop";
  SECTION("it is") {
    options.from = "/tmp";
    desk.start(import_from(desk.context, options));
    REQUIRE(desk.asks(1));
    CHECK(desk.host().asked[0] == "import from /tmp 1 shop");
    desk.host().end(JobId(1), "done", "");
    REQUIRE(desk.ends());
    CHECK(desk.code == ExitCode::done);
  }
  SECTION("it is not") {
    options.from = "/nowhere/at/all";
    desk.start(import_from(desk.context, options));
    REQUIRE(desk.ends());
    CHECK(desk.code == ExitCode::not_found);
    CHECK(desk.host().asked.empty());
  }
}

TEST_CASE("Ctrl-C has the daemon cancel the job") {
  Desk desk;
  desk.start(checkpoint(desk.context, "debian"));
  REQUIRE(desk.asks(1));
  REQUIRE(desk.reaches([&] { return !desk.out.str().empty(); }));
  std::raise(SIGINT);
  REQUIRE(desk.asks(2));
  CHECK(desk.host().asked[1] == "cancel 1");
  desk.host().end(JobId(1), "cancelled", "");
  REQUIRE(desk.ends());
  CHECK(desk.code == ExitCode::cancelled);
}

TEST_CASE("a second Ctrl-C does not wait for the end of what is being cancelled") {
  Desk desk;
  desk.start(checkpoint(desk.context, "debian"));
  REQUIRE(desk.asks(1));
  REQUIRE(desk.reaches([&] { return !desk.out.str().empty(); }));
  std::raise(SIGINT);
  REQUIRE(desk.asks(2));
  std::raise(SIGINT);
  REQUIRE(desk.ends());
  CHECK(desk.code == ExitCode::cancelled);
  CHECK(desk.host().host.running_jobs.size() == 1);
}

TEST_CASE("a lost bus ends what waits for a job") {
  Desk desk;
  desk.start(checkpoint(desk.context, "debian"));
  REQUIRE(desk.asks(1));
  desk.world.daemon.kill();
  REQUIRE(desk.ends());
  CHECK(desk.code == ExitCode::no_daemon);
}

TEST_CASE("where there is no bus the refusal says so") {
  boost::asio::io_context io;
  try {
    const Client client(io, "unix:path=/nonexistent/bus");
    FAIL("it connected");
  } catch (const Refusal& refusal) {
    CHECK(refusal.code() == ExitCode::no_daemon);
    CHECK(refusal.reason() == "The system bus can't be reached: No such file or directory.");
    CHECK(refusal.next().find("systemctl status dbus") != std::string::npos);
  }
}

TEST_CASE("doctor fails when something is bad, and names the remedy") {
  Desk desk;
  DoctorOptions measuring;
  measuring.measure = true;
  desk.start(doctor(desk.context, measuring));
  REQUIRE(desk.ends());
  CHECK(desk.code == ExitCode::failed);
  CHECK(desk.out.str().find("Fix.") != std::string::npos);
  CHECK(desk.host().measured == Commands::Measure::devices);
}

TEST_CASE(
    "drop-cache says what it freed, and takes a machine whose device is elsewhere by its UUID") {
  Desk desk;
  std::string word, asked = "drop cache of all";
  SECTION("of all machines") {}
  SECTION("of one") {
    word = Uuid::random().str();
    asked = "drop cache of " + word;
  }
  desk.start(drop_cache(desk.context, word));
  REQUIRE(desk.ends());
  CHECK(desk.code == ExitCode::done);
  CHECK(desk.host().asked.back() == asked);
  CHECK(desk.out.str() == "3.0 MiB were kept here and are gone.\n");
}

TEST_CASE("monitor tells what changes and how jobs end") {
  Desk desk;
  desk.start(monitor(desk.context));
  REQUIRE(desk.reaches([&] { return desk.out.str().find("ready") != std::string::npos; }));
  desk.host().host.capsules[0].state = "launching";
  const auto job = desk.host().begin("launch");
  desk.host().listener.changed();
  REQUIRE(desk.reaches([&] { return desk.out.str().find("launching") != std::string::npos; }));
  desk.host().end(job, "done", "");
  REQUIRE(desk.reaches([&] { return desk.out.str().find("job 1: done") != std::string::npos; }));
  std::raise(SIGINT);
  REQUIRE(desk.ends());
  CHECK(desk.code == ExitCode::done);
}
