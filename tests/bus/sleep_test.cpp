// Sleep is held off exactly as long as it is said, with a small logind of the test's own on a
// private bus.
#include "bus/sleep.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "bus/object.hpp"
#include "bus/private_bus.hpp"

using namespace satchel;
using namespace satchel::test;

namespace {

class Lines : public Log {
 public:
  void write(const LogLine& line) override { lines.push_back(line.text); }
  std::vector<std::string> lines;
};

Task<UniqueFd> give(UniqueFd lock) { co_return lock; }
Task<UniqueFd> refuse() {
  throw Fault(Remedy::ask_admin, Fault::Text{"inhibit", "sleep", "nobody may", {}});
  co_return UniqueFd();
}

/// Owns org.freedesktop.login1 as long as it lives.
class FakeLogind {
 public:
  FakeLogind(boost::asio::io_context& io, const PrivateBus& daemon)
      : bus_(io.get_executor(), daemon.address(), {}),
        object_(bus_, "/org/freedesktop/login1", {describe()}, Place::alone) {
    auto own = [](Bus& bus) -> Task<void> { co_await bus.request_name("org.freedesktop.login1"); };
    run(io, own(bus_));
  }
  void tell(bool begins) {
    object_.emit("org.freedesktop.login1.Manager", "PrepareForSleep", begins);
  }
  /// Whether somebody still holds the lock given last.
  bool held() const {
    pollfd look{watched_.get(), 0, 0};
    return watched_ && ::poll(&look, 1, 0) == 0;
  }

  bool refuses = false;
  std::vector<std::string> asked;

 private:
  Interface describe() {
    Interface out("org.freedesktop.login1.Manager");
    out.method("Inhibit", {"what", "who", "why", "mode"}, {"lock"},
               [this](Caller, std::string what, std::string, std::string why, std::string mode) {
                 asked.push_back(what + ": " + why + " (" + mode + ")");
                 if (refuses) return refuse();
                 int ends[2];
                 REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
                 watched_.reset(ends[0]);
                 return give(UniqueFd(ends[1]));
               });
    out.signal<bool>("PrepareForSleep", {"start"});
    return out;
  }

  Bus bus_;
  UniqueFd watched_;
  Object object_;
};

struct World {
  PrivateBus daemon;
  boost::asio::io_context io;
  Bus bus{io.get_executor(), daemon.address(), {}};
  Lines log;
  std::vector<std::string> told;
  Sleep sleep{
      bus, log, {[this] { told.emplace_back("begins"); }, [this] { told.emplace_back("ended"); }}};
};

}  // namespace

TEST_CASE("sleep is held off from the first reason until there is none") {
  World world;
  FakeLogind logind(world.io, world.daemon);
  world.sleep.hold_off("Saving debian.");
  REQUIRE(run_until(world.io, [&] { return logind.held(); }));
  world.sleep.hold_off("Saving debian and web.");
  world.sleep.hold_off({});
  REQUIRE(run_until(world.io, [&] { return !logind.held(); }));
  CHECK(logind.asked == std::vector<std::string>{"sleep: Saving debian. (block)"});
  world.sleep.hold_off("Saving web.");
  REQUIRE(run_until(world.io, [&] { return logind.held(); }));
  CHECK(logind.asked.back() == "sleep: Saving web. (block)");
  CHECK(world.log.lines.empty());
}

TEST_CASE("a lock that comes too late is given back") {
  World world;
  FakeLogind logind(world.io, world.daemon);
  world.sleep.hold_off("Saving debian.");
  REQUIRE(run_until(world.io, [&] { return !logind.asked.empty(); }));
  world.sleep.hold_off({});
  CHECK(run_until(world.io, [&] { return !logind.held(); }));
}

TEST_CASE("a refusal is a warning, and no logind is none") {
  World world;
  world.sleep.hold_off("Saving debian.");
  world.sleep.hold_off({});
  FakeLogind logind(world.io, world.daemon);
  logind.refuses = true;
  REQUIRE(run_until(world.io, [&] {
    world.sleep.hold_off({});
    world.sleep.hold_off("Saving web.");
    return !world.log.lines.empty();
  }));
  CHECK(world.log.lines.front().find("the computer may fall asleep meanwhile") !=
        std::string::npos);
}

TEST_CASE("falling asleep and waking are told") {
  World world;
  FakeLogind logind(world.io, world.daemon);
  logind.tell(true);
  logind.tell(false);
  REQUIRE(run_until(world.io, [&] { return world.told.size() == 2; }));
  CHECK(world.told == std::vector<std::string>{"begins", "ended"});
}
