// The client part of lib/bus against a real bus daemon.
#include <fcntl.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <boost/asio/steady_timer.hpp>
#include <catch2/catch.hpp>
#include <cstdlib>

#include "bus/bus.hpp"
#include "bus/connection.hpp"
#include "bus/private_bus.hpp"

using namespace satchel;
using namespace satchel::test;

namespace {

constexpr auto dbus = "org.freedesktop.DBus";
constexpr auto dbus_path = "/org/freedesktop/DBus";

struct World {
  PrivateBus daemon;
  boost::asio::io_context io;
  std::vector<std::string> losses;
  std::vector<std::string> troubles;
  BusListener listener{[this](std::string why) { losses.push_back(std::move(why)); },
                       [this](std::string what) { troubles.push_back(std::move(what)); }};
  Bus bus{io.get_executor(), daemon.address(), listener};
};

Task<void> ask_for_owner(Bus& bus, std::string name, std::string& owner) {
  owner = co_await bus.name_owner(name);
}

Task<void> own(Bus& bus, std::string name) { co_await bus.request_name(name); }

Task<void> call_nobody(Bus& bus) {
  co_await bus.call("org.example.Nobody", "/", "org.example.Nobody", "Anything");
}

Task<void> list_names(Bus& bus, std::vector<std::string>& names) {
  auto reply = co_await bus.call(dbus, dbus_path, dbus, "ListNames");
  names = reply.read<std::vector<std::string>>();
}

Task<void> read_wrong_type(Bus& bus) {
  auto reply = co_await bus.call(dbus, dbus_path, dbus, "ListNames");
  reply.read<std::uint32_t>();
}

std::string error_name_of(boost::asio::io_context& io, Task<void> task) {
  try {
    run(io, std::move(task));
  } catch (const BusError& error) {
    return error.name();
  }
  return {};
}

}  // namespace

TEST_CASE("a name is owned, found, and refused to a second owner") {
  World world;
  Bus other(world.io.get_executor(), world.daemon.address(), {});
  run(world.io, own(world.bus, "org.example.One"));
  std::string owner;
  run(world.io, ask_for_owner(other, "org.example.One", owner));
  CHECK_FALSE(owner.empty());
  CHECK_THROWS_AS(run(world.io, own(other, "org.example.One")), BusError);
  run(world.io, ask_for_owner(other, "org.example.Two", owner));
  CHECK(owner.empty());
}

TEST_CASE("a service that does not exist is a Fault that keeps the error's name") {
  World world;
  try {
    run(world.io, call_nobody(world.bus));
    FAIL("nobody answered, yet there is an answer");
  } catch (const BusError& error) {
    CHECK(error.is_absent());
    CHECK(error.remedy() == Remedy::fix_config);
    CHECK(error.name() == "org.freedesktop.DBus.Error.ServiceUnknown");
  }
}

TEST_CASE("a reply of another type than was asked for is an error, not garbage") {
  World world;
  std::vector<std::string> names;
  run(world.io, list_names(world.bus, names));
  CHECK(std::find(names.begin(), names.end(), dbus) != names.end());
  CHECK_FALSE(error_name_of(world.io, read_wrong_type(world.bus)).empty());
}

TEST_CASE("a call that nobody answers ends at its timeout") {
  World world;
  const auto start = std::chrono::steady_clock::now();
  boost::asio::io_context idle;  // not run any more once the name is owned
  Bus deaf(idle.get_executor(), world.daemon.address(), {});
  run(idle, own(deaf, "org.example.Deaf"));
  auto wait = [](Bus& bus) -> Task<void> {
    BusCall call("org.example.Deaf", "/nobody/answers", "org.example.Deaf", "Wait");
    call.timeout = std::chrono::milliseconds(50);
    auto answer = bus.call(call);
    co_await std::move(answer);
  };
  const auto name = error_name_of(world.io, wait(world.bus));
  CHECK(name == "org.freedesktop.DBus.Error.NoReply");
  CHECK(std::chrono::steady_clock::now() - start < deadline);
}

TEST_CASE("values of every kind that the project needs survive a message") {
  World world;
  auto message = world.bus.new_method_call(BusCall("a.b", "/", "a.b", "M"));
  const Dictionary options{{"flag", true},
                           {"name", "x"},
                           {"size", std::uint64_t{7}},
                           {"paths", std::vector<Bytes>{{'/', 'a', 0}}},
                           {"inner", Dictionary{{"deep", std::int32_t{-3}}}}};
  const ManagedObjects objects{{ObjectPath("/o"), {{"i.f", options}}}};
  const std::vector<std::tuple<std::uint64_t, std::string>> history{{1, "one"}, {2, "two"}};
  message.append(std::string("s"), ObjectPath("/p"), false, std::uint32_t{1}, std::int64_t{-9}, 2.5,
                 Bytes{1, 2}, options, objects, history, Variant(std::vector<std::string>{}));
  REQUIRE(message.signature() == "sobuxdaya{sv}a{oa{sa{sv}}}a(ts)v");
  sd_bus_message* raw = message.get();
  REQUIRE(raw != nullptr);
}

TEST_CASE("a watched name tells of its new owner and of its loss") {
  World world;
  std::vector<std::string> owners;
  const auto watch = world.bus.watch_name(
      "org.example.Comes", [&](std::string owner) { owners.push_back(std::move(owner)); });
  std::vector<std::string> names;
  run(world.io, list_names(world.bus, names));
  {
    Bus other(world.io.get_executor(), world.daemon.address(), {});
    run(world.io, own(other, "org.example.Comes"));
    REQUIRE(run_until(world.io, [&] { return owners.size() == 1; }));
    CHECK_FALSE(owners[0].empty());
  }
  REQUIRE(run_until(world.io, [&] { return owners.size() == 2; }));
  CHECK(owners[1].empty());
}

TEST_CASE("a subscription that is gone hears nothing") {
  World world;
  int heard = 0;
  {
    const auto watch = world.bus.watch_name("org.example.Quiet", [&](std::string) { ++heard; });
  }
  Bus other(world.io.get_executor(), world.daemon.address(), {});
  run(world.io, own(other, "org.example.Quiet"));
  std::vector<std::string> names;
  run(world.io, list_names(world.bus, names));
  CHECK(heard == 0);
}

TEST_CASE("a signal that is sent to this connection alone is not taken for one that all hear") {
  World world;
  std::vector<std::string> heard;
  run(world.io, own(world.bus, "org.example.Listener"));
  Bus service(world.io.get_executor(), world.daemon.address(), {});
  run(world.io, own(service, "org.example.Service"));
  const auto listening =
      world.bus.match("type='signal',sender='org.example.Service',interface='org.example.Service'",
                      [&](Message signal) { heard.push_back(signal.member()); });
  std::vector<std::string> names;
  run(world.io, list_names(world.bus, names));
  const auto forge = "dbus-send --bus=" + world.daemon.address() +
                     " --type=signal --dest=org.example.Listener / org.example.Service.Forged";
  REQUIRE(std::system(forge.c_str()) == 0);
  sd_bus_message* raw = nullptr;
  REQUIRE(sd_bus_message_new_signal(service.connection()->get(), &raw, "/", "org.example.Service",
                                    "Said") >= 0);
  const Message said(raw);
  REQUIRE(sd_bus_send(service.connection()->get(), said.get(), nullptr) >= 0);
  service.connection()->wake();
  REQUIRE(run_until(world.io, [&] { return !heard.empty(); }));
  CHECK(heard == std::vector<std::string>{"Said"});
}

TEST_CASE("what a listener to a signal throws is told and does no harm") {
  World world;
  const auto watch = world.bus.watch_name("org.example.Bad", [&](std::string) {
    throw Fault(Remedy::retry, Fault::Text{"bear", "it", "no", ""});
  });
  Bus other(world.io.get_executor(), world.daemon.address(), {});
  run(world.io, own(other, "org.example.Bad"));
  REQUIRE(run_until(world.io, [&] { return !world.troubles.empty(); }));
  CHECK(world.troubles[0] == "could not bear it: no");
}

TEST_CASE("the loss of the connection is told once and ends the calls under way") {
  World world;
  std::vector<std::string> names;
  run(world.io, list_names(world.bus, names));
  world.daemon.kill();
  CHECK_THROWS_AS(run(world.io, list_names(world.bus, names)), BusError);
  REQUIRE(run_until(world.io, [&] { return !world.losses.empty(); }));
  CHECK_THROWS_AS(run(world.io, list_names(world.bus, names)), BusError);
  turn(world.io);
  CHECK(world.losses.size() == 1);
}

TEST_CASE("a bus that is destroyed ends the calls under way") {
  World world;
  boost::asio::io_context idle;
  Bus deaf(idle.get_executor(), world.daemon.address(), {});
  run(idle, own(deaf, "org.example.Deaf"));
  auto bus = std::make_unique<Bus>(world.io.get_executor(), world.daemon.address(), BusListener{});
  auto wait = [](Bus& on) -> Task<void> {
    auto answer = on.call("org.example.Deaf", "/", "org.example.Deaf", "Wait");
    co_await std::move(answer);
  };
  boost::asio::steady_timer soon(world.io, std::chrono::milliseconds(1));
  soon.async_wait([&](auto) { bus.reset(); });
  CHECK_THROWS_AS(run(world.io, wait(*bus)), BusError);
}
