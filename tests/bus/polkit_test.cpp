// Who may do what, with a small polkit of the test's own on a private bus. The asking user is a
// process that gave up being root, so the tests need root and pass at once without it.
#include "bus/polkit.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>
#include <cstdio>

#include "bus/object.hpp"
#include "bus/private_bus.hpp"

using namespace satchel;
using namespace satchel::test;

namespace {

using Subject = std::tuple<std::string, Dictionary>;
using Details = std::map<std::string, std::string>;
using Verdict = std::tuple<bool, bool, Details>;

/// What a client asked polkit, and what polkit answers.
struct Asked {
  Details details;
  std::string kind;
  std::string name;
  std::string action;
  std::uint32_t flags = 0;
};

Task<Verdict> answer(bool allowed) { co_return Verdict(allowed, false, Details()); }

/// A person who never answers.
Task<Verdict> no_answer(boost::asio::any_io_executor on) {
  boost::asio::steady_timer never(on, boost::asio::steady_timer::time_point::max());
  co_await never.async_wait(boost::asio::use_awaitable);
  co_return Verdict();
}

/// Owns org.freedesktop.PolicyKit1 as long as it lives.
class FakePolkit {
 public:
  enum class Person { answers, is_away };
  FakePolkit(boost::asio::io_context& io, const PrivateBus& daemon, bool allowed,
             Person person = Person::answers)
      : io_(io),
        person_(person),
        bus_(io.get_executor(), daemon.address(), {}),
        object_(bus_, "/org/freedesktop/PolicyKit1/Authority", {describe(allowed)}, Place::alone) {
    auto own = [](Bus& bus) -> Task<void> {
      co_await bus.request_name("org.freedesktop.PolicyKit1");
    };
    run(io, own(bus_));
  }
  std::vector<Asked> asked;

 private:
  Interface describe(bool allowed) {
    Interface out("org.freedesktop.PolicyKit1.Authority");
    out.method("CheckAuthorization", {"subject", "action", "details", "flags", "cancellation"},
               {"result"},
               [this, allowed](Caller, Subject subject, std::string action, Details details,
                               std::uint32_t flags, std::string) {
                 const auto name = find<std::string>(std::get<1>(subject), "name");
                 asked.push_back(
                     {std::move(details), std::get<0>(subject), name.value_or(""), action, flags});
                 if (person_ == Person::is_away) return no_answer(io_.get_executor());
                 return answer(allowed);
               });
    return out;
  }

  boost::asio::io_context& io_;
  Person person_;
  Bus bus_;
  Object object_;
};

Task<void> own_and_tell(Bus& bus, int fd) {
  co_await bus.request_name("org.example.OtherUser");
  if (::write(fd, "1", 1) != 1) throw fault_from_errno(errno, "tell", "the test");
}

/// The other user's process: owns its name until it is killed.
int be_somebody(const PrivateBus& daemon, int fd) {
  try {
    if (setuid(65534) != 0) return 1;
    boost::asio::io_context io;
    Bus bus(io.get_executor(), daemon.address(), {});
    run(io, own_and_tell(bus, fd));
    pause();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "the other user: %s\n", error.what());
    return 1;
  }
}

/// A client of the bus in a process of its own that runs as user 65534.
class OtherUser {
 public:
  explicit OtherUser(const PrivateBus& daemon) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    from_.reset(ends[0]);
    UniqueFd to(ends[1]);
    pid_ = fork();
    if (pid_ == 0) _exit(be_somebody(daemon, to.get()));
    to.reset();
    char byte = 0;
    REQUIRE(::read(from_.get(), &byte, 1) == 1);
  }
  ~OtherUser() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

 private:
  UniqueFd from_;
  pid_t pid_ = -1;
};

struct World {
  PrivateBus daemon;
  OtherUser other{daemon};
  boost::asio::io_context io;
  Bus bus{io.get_executor(), daemon.address(), {}};
  std::vector<std::pair<std::uint32_t, std::string>> told;  ///< who was allowed what
  std::vector<std::uint32_t> refused;                       ///< who was not
  PolkitAuthority authority{
      bus, [this](std::uint32_t user, const Undertaking& wanted, PolkitAuthority::Answer answer) {
        if (answer == PolkitAuthority::Answer::refused)
          refused.push_back(user);
        else
          told.emplace_back(user, wanted.doing);
      }};

  bool allows(Action action, Interaction interaction) {
    return ask("org.example.OtherUser", action, interaction);
  }
  bool ask(std::string client, Action action, Interaction interaction) {
    Undertaking wanted{action, "eject the machine", "debian", "/dev/sdb1 (SATCHEL)"};
    bool out = false;
    auto wait = [](Task<bool> question, bool& into) -> Task<void> {
      into = co_await std::move(question);
    };
    run(io, wait(authority.allows(std::move(client), std::move(wanted), interaction), out));
    return out;
  }
};

}  // namespace

TEST_CASE("polkit decides for a user, and hears the action and whether it may ask him") {
  if (geteuid() != 0) return;
  World world;
  FakePolkit polkit(world.io, world.daemon, true);
  CHECK(world.allows(Action::eject, Interaction::allowed));
  CHECK(world.allows(Action::manage, Interaction::refused));
  CHECK(world.told == std::vector<std::pair<std::uint32_t, std::string>>{
                          {65534, "eject the machine"}, {65534, "eject the machine"}});
  REQUIRE(polkit.asked.size() == 2);
  CHECK(polkit.asked[0].kind == "system-bus-name");
  CHECK(polkit.asked[0].name == "org.example.OtherUser");
  CHECK(polkit.asked[0].action == "org.satchel.eject");
  CHECK(polkit.asked[0].flags == 1);
  CHECK(polkit.asked[1].action == "org.satchel.manage");
  CHECK(polkit.asked[1].flags == 0);
  CHECK(polkit.asked[0].details ==
        Details{{"polkit.message",
                 "Authentication is required to eject the machine: $(machine), on $(device)"},
                {"machine", "debian"},
                {"device", "/dev/sdb1 (SATCHEL)"}});
}

TEST_CASE("what polkit is told names what is known, on one short line without markup") {
  CHECK(polkit_details({Action::manage, "measure the devices", {}, {}}) ==
        Details{{"polkit.message", "Authentication is required to measure the devices"}});
  auto details = polkit_details({Action::manage, "format the device", {}, "/dev/sdb\n<b>x</b>"});
  CHECK(details["polkit.message"] == "Authentication is required to format the device: $(device)");
  CHECK(details["device"] == "/dev/sdb??b?x?/b?");
  std::string long_name;
  for (int i = 0; i < 100; ++i) long_name += "é";
  details = polkit_details({Action::eject, "eject the machine", long_name, {}});
  CHECK(details["machine"] == long_name.substr(0, 80) + "…");
  details = polkit_details({Action::eject, "eject the machine", "x" + long_name, {}});
  CHECK(details["machine"] == "x" + long_name.substr(0, 78) + "…");
}

TEST_CASE("what polkit denies is denied, and told once") {
  if (geteuid() != 0) return;
  World world;
  FakePolkit polkit(world.io, world.daemon, false);
  CHECK_FALSE(world.allows(Action::trust, Interaction::allowed));
  CHECK_FALSE(world.allows(Action::eject, Interaction::allowed));
  CHECK(world.told.empty());
  CHECK(world.refused == std::vector<std::uint32_t>{65534});
}

TEST_CASE("a user who leaves questions open is asked no more of them") {
  if (geteuid() != 0) return;
  World world;
  FakePolkit polkit(world.io, world.daemon, true, FakePolkit::Person::is_away);
  const Undertaking wanted{Action::manage, "format the device", {}, {}};
  std::size_t refused = 0;
  const auto ask = [&](Interaction interaction) -> Task<void> {
    try {
      co_await world.authority.allows("org.example.OtherUser", wanted, interaction);
    } catch (const Fault& failure) {
      refused += failure.remedy() == Remedy::retry ? 1 : 0;
    }
  };
  for (int i = 0; i < 6; ++i)
    boost::asio::co_spawn(world.io, ask(Interaction::allowed), boost::asio::detached);
  REQUIRE(run_until(world.io, [&] { return refused == 2 && polkit.asked.size() == 4; }));
  // What needs nobody's answer is asked as before.
  boost::asio::co_spawn(world.io, ask(Interaction::refused), boost::asio::detached);
  CHECK(run_until(world.io, [&] { return polkit.asked.size() == 5; }));
  CHECK(refused == 2);
}

TEST_CASE("without polkit on the bus a user may do nothing") {
  if (geteuid() != 0) return;
  World world;
  CHECK_FALSE(world.allows(Action::eject, Interaction::allowed));
}

TEST_CASE("root may do everything, and polkit is not asked") {
  if (geteuid() != 0) return;
  World world;
  FakePolkit polkit(world.io, world.daemon, false);
  auto own = [](Bus& bus) -> Task<void> { co_await bus.request_name("org.example.Root"); };
  run(world.io, own(world.bus));
  CHECK(world.ask("org.example.Root", Action::trust, Interaction::refused));
  CHECK(polkit.asked.empty());
}
