// The serving part of lib/bus: objects described at run time, on a real bus daemon.
#include "bus/object.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <catch2/catch.hpp>
#include <set>

#include "base/error_name.hpp"
#include "bus/private_bus.hpp"

using namespace satchel;
using namespace satchel::test;

namespace {

constexpr auto service = "org.example.Server";
constexpr auto face = "org.example.Face";

struct World {
  PrivateBus daemon;
  boost::asio::io_context io;
  Bus server{io.get_executor(), daemon.address(), {{}, [](std::string what) {
                                                     FAIL_CHECK("unheard: " + what);
                                                   }}};
  Bus client{io.get_executor(), daemon.address(), {}};

  World() {
    auto own = [](Bus& bus) -> Task<void> { co_await bus.request_name(service); };
    run(io, own(server));
  }

  /// The reply to a call on /thing, or the error thrown.
  template <class... Args>
  Message ask(const std::string& method, const Args&... args) {
    Message reply;
    auto wait = [](Task<Message> call, Message& out) -> Task<void> {
      out = co_await std::move(call);
    };
    run(io, wait(client.call(service, "/thing", face, method, args...), reply));
    return reply;
  }
};

template <class T>
Task<T> same(T value) {
  co_return value;
}

template <class T>
void echo(Interface& on, const std::string& name) {
  on.method(name, {"value"}, {"value"}, [](Caller, T value) { return same(std::move(value)); });
}

Task<void> fail(Remedy remedy) {
  Fault::Text text{"do", "it", "because", "Do that."};
  throw Fault(remedy, std::move(text));
  co_return;
}

Task<std::uint64_t> inode_of(UniqueFd fd) {
  struct stat status {};
  REQUIRE(fstat(fd.get(), &status) == 0);
  co_return status.st_ino;
}

}  // namespace

TEST_CASE("values of every kind come back from a method as they were sent") {
  World world;
  Interface echoes(face);
  echo<std::vector<std::string>>(echoes, "Texts");
  echo<std::vector<ObjectPath>>(echoes, "Paths");
  echo<Bytes>(echoes, "Bytes");
  echo<std::vector<Bytes>>(echoes, "ManyBytes");
  echo<Dictionary>(echoes, "Options");
  echo<ManagedObjects>(echoes, "Objects");
  echo<std::vector<std::tuple<std::uint64_t, std::string, double>>>(echoes, "Lines");
  echo<std::int64_t>(echoes, "Number");
  Object object(world.server, "/thing", {echoes}, Place::alone);

  const std::vector<std::string> texts{"a", "", "ü"};
  CHECK(world.ask("Texts", texts).read<std::vector<std::string>>() == texts);
  const std::vector<ObjectPath> paths{ObjectPath("/"), ObjectPath("/a/b")};
  CHECK(world.ask("Paths", paths).read<std::vector<ObjectPath>>() == paths);
  const Bytes bytes{0, 1, 255};
  CHECK(world.ask("Bytes", bytes).read<Bytes>() == bytes);
  CHECK(world.ask("Bytes", Bytes()).read<Bytes>().empty());
  const std::vector<Bytes> many{{'/', 'm', 0}, {}};
  const auto many_back = world.ask("ManyBytes", many).read<std::vector<Bytes>>();
  CHECK(many_back == many);
  CHECK(text_of(many_back[0]) == "/m");
  const std::vector<std::tuple<std::uint64_t, std::string, double>> lines{{1, "one", 0.5}};
  CHECK(world.ask("Lines", lines).read<std::decay_t<decltype(lines)>>() == lines);
  CHECK(world.ask("Number", std::int64_t{-5}).read<std::int64_t>() == -5);

  const Dictionary options{{"flag", true},
                           {"size", std::uint64_t{1} << 40},
                           {"paths", many},
                           {"inner", Dictionary{{"deep", std::int32_t{-3}}}}};
  const auto back = world.ask("Options", options).read<Dictionary>();
  CHECK(find<bool>(back, "flag") == true);
  CHECK(find<std::uint64_t>(back, "size") == std::uint64_t{1} << 40);
  CHECK(find<std::vector<Bytes>>(back, "paths") == many);
  CHECK(find<std::int32_t>(*find<Dictionary>(back, "inner"), "deep") == -3);
  CHECK_FALSE(find<std::string>(back, "flag"));
  CHECK_FALSE(find<bool>(back, "absent"));

  const ManagedObjects objects{{ObjectPath("/o"), {{"i.f", options}}}};
  const auto objects_back = world.ask("Objects", objects).read<ManagedObjects>();
  CHECK(find<bool>(objects_back.at(ObjectPath("/o")).at("i.f"), "flag") == true);
}

TEST_CASE("a text that the bus does not carry is told byte by byte and breaks no answer") {
  World world;
  Interface has(face);
  has.property("Detail", [] { return std::string("QEMU says \xff\xfe\x1b[31m"); });
  has.property("Name", [] { return std::string("ü"); });
  Object object(world.server, "/thing", {has}, Place::alone);
  Dictionary all;
  auto get = [](Bus& bus, Dictionary& out) -> Task<void> {
    out = co_await bus.properties(service, "/thing", face);
  };
  run(world.io, get(world.client, all));
  CHECK(find<std::string>(all, "Detail") == "QEMU says \\xff\\xfe\\x1b[31m");
  CHECK(find<std::string>(all, "Name") == "ü");
}

TEST_CASE("a structure inside a variant is read field by field") {
  World world;
  Interface has(face);
  has.property("Lines", [] {
    return std::vector<std::tuple<std::uint64_t, std::string>>{{7, "seven"}};
  });
  Object object(world.server, "/thing", {has}, Place::alone);
  Dictionary all;
  auto get = [](Bus& bus, Dictionary& out) -> Task<void> {
    out = co_await bus.properties(service, "/thing", face);
  };
  run(world.io, get(world.client, all));
  const auto lines = find<std::vector<Structure>>(all, "Lines");
  REQUIRE(lines);
  REQUIRE(lines->size() == 1);
  CHECK(lines->front().fields.at(0).as<std::uint64_t>() == 7);
  CHECK(lines->front().fields.at(1).as<std::string>() == "seven");
}

TEST_CASE("every remedy has an error name of its own, and is known again by it") {
  World world;
  std::set<std::string> names;
  for (const auto remedy : {Remedy::retry, Remedy::replug, Remedy::free_space, Remedy::other_device,
                            Remedy::fix_config, Remedy::fix_request, Remedy::ask_admin,
                            Remedy::choose, Remedy::later_version, Remedy::report_bug}) {
    Interface fails(face);
    fails.method("Fail", {}, {}, [remedy](Caller) { return fail(remedy); });
    Object object(world.server, "/thing", {fails}, Place::alone);
    try {
      world.ask("Fail");
      FAIL("it succeeded");
    } catch (const BusError& error) {
      CHECK(error.name() == bus_error_name(remedy));
      CHECK(error.remedy() == remedy);
      CHECK(error.message() == "could not do it: because. Do that.");
      names.insert(error.name());
    }
  }
  CHECK(names.size() == 10);
  CHECK(bus_error_name(Remedy::later_version) == "org.satchel.Satchel1.Error.NotSupported");
  CHECK_FALSE(remedy_of_bus_error("org.freedesktop.DBus.Error.NotSupported"));
}

TEST_CASE("arguments of another type are refused before the method is called") {
  World world;
  Interface echoes(face);
  echo<std::string>(echoes, "Text");
  Object object(world.server, "/thing", {echoes}, Place::alone);
  try {
    world.ask("Text", std::uint32_t{1});
    FAIL("it succeeded");
  } catch (const BusError& error) {
    CHECK(error.name() == "org.freedesktop.DBus.Error.InvalidArgs");
  }
}

TEST_CASE("a descriptor that is sent arrives as a descriptor of the same file") {
  World world;
  Interface takes(face);
  takes.method("Inode", {"file"}, {"inode"},
               [](Caller, UniqueFd fd) { return inode_of(std::move(fd)); });
  Object object(world.server, "/thing", {takes}, Place::alone);
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  struct stat status {};
  REQUIRE(fstat(reader.get(), &status) == 0);
  CHECK(world.ask("Inode", reader).read<std::uint64_t>() == status.st_ino);
}

TEST_CASE("property changes of one turn are told together, once") {
  World world;
  int number = 1;
  Interface counts(face);
  counts.property("Number", [&] { return std::int32_t{number}; });
  counts.property("Twice", [&] { return std::int32_t{2 * number}; });
  Object object(world.server, "/thing", {counts}, Place::alone);
  std::vector<Dictionary> changes;
  const auto match = world.client.match(
      "type='signal',member='PropertiesChanged',path='/thing'", [&](Message signal) {
        changes.push_back(std::get<1>(signal.read_all<std::string, Dictionary>()));
      });
  auto ping = [](Bus& bus) -> Task<void> { co_await bus.name_owner(service); };
  run(world.io, ping(world.client));

  number = 2;
  object.changed(face, "Number");
  object.changed(face, "Twice");
  number = 3;
  object.changed(face, "Number");
  REQUIRE(run_until(world.io, [&] { return !changes.empty(); }));
  run(world.io, ping(world.client));
  REQUIRE(changes.size() == 1);
  CHECK(find<std::int32_t>(changes[0], "Number") == 3);
  CHECK(find<std::int32_t>(changes[0], "Twice") == 6);

  number = 4;
  object.changed(face, "Twice");
  REQUIRE(run_until(world.io, [&] { return changes.size() == 2; }));
  CHECK(changes[1].size() == 1);
}

TEST_CASE("a request outlives the object that it was made to") {
  World world;
  Interface echoes(face);
  boost::asio::steady_timer gate(world.io, boost::asio::steady_timer::time_point::max());
  bool waits = false;
  auto late = [](boost::asio::steady_timer& until, bool& told) -> Task<std::string> {
    told = true;
    try {
      co_await until.async_wait(boost::asio::use_awaitable);
    } catch (const boost::system::system_error&) {  // cancelling it is how the test goes on
    }
    co_return "late";
  };
  echoes.method("Wait", {}, {"text"}, [&](Caller) { return late(gate, waits); });
  auto object = std::make_unique<Object>(world.server, "/thing", std::vector{echoes}, Place::alone);
  std::string answer;
  auto wait = [](Task<Message> call, std::string& out) -> Task<void> {
    auto reply = co_await std::move(call);
    out = reply.read<std::string>();
  };
  boost::asio::co_spawn(world.io, wait(world.client.call(service, "/thing", face, "Wait"), answer),
                        boost::asio::detached);
  REQUIRE(run_until(world.io, [&] { return waits; }));
  object.reset();
  gate.cancel();
  REQUIRE(run_until(world.io, [&] { return !answer.empty(); }));
  CHECK(answer == "late");
}
