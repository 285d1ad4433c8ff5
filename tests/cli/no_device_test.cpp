// What satchelctl says where there is no device to use, or nobody to ask about one.
#include <catch2/catch.hpp>
#include <filesystem>
#include <sstream>

#include "cli/desk.hpp"

using namespace satchel;
using namespace satchel::cli;
using test::Desk;

TEST_CASE("status says why a device can't be used, and not that it waits for a pack") {
  Desk desk;
  desk.host().host.capsules.clear();
  desk.host().listener.changed();
  desk.start(status(desk.context));
  REQUIRE(desk.ends());
  CHECK(desk.out.str().find("No capsule yet") != std::string::npos);
  desk.out.str("");
  desk.host().host.devices[0].detail = "Could not mount it: wrong fs type.";
  desk.host().listener.changed();
  desk.start(status(desk.context));
  REQUIRE(desk.ends());
  CHECK(desk.out.str().find("/dev/sdb1: Could not mount it: wrong fs type.") != std::string::npos);
  CHECK(desk.out.str().find("No capsule yet") == std::string::npos);
}

TEST_CASE("eject --all starts no daemon, and where there is none says so and succeeds") {
  boost::asio::io_context io;
  const test::PrivateBus bus;
  const auto started = bus.directory() + "/started";
  bus.offer(service_name, "/bin/sh -c \"touch " + started + "; exit 1\"");
  Client client(io, bus.address());
  std::istringstream in;
  std::ostringstream out;
  Context context{client, in, out, Screen(), Output::people, Context::Input::none};
  const auto run = [&](Task<ExitCode> command) {
    auto code = ExitCode::usage;
    auto keep = [](Task<ExitCode> from, ExitCode& into) -> Task<void> {
      into = co_await std::move(from);
    };
    test::run(io, keep(std::move(command), code));
    return code;
  };
  auto reload = [](Bus& bus) -> Task<void> {
    auto reloading = bus.call("org.freedesktop.DBus", "/org/freedesktop/DBus",
                              "org.freedesktop.DBus", "ReloadConfig");
    co_await std::move(reloading);
  };
  test::run(io, reload(client.bus()));
  EjectOptions all;
  all.all = true;
  CHECK(run(eject(context, all)) == ExitCode::done);
  CHECK(out.str().find("satcheld is not running") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(started));
  // Whoever asks for anything else has it started.
  CHECK_THROWS_AS(run(status(context)), Refusal);
  CHECK(std::filesystem::exists(started));
}
