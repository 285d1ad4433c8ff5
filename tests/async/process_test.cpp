#include "async/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cerrno>
#include <stdexcept>
#include <thread>

#include "base/fault.hpp"

using namespace satchel;

namespace {

ProcessRun shell(std::string script) {
  ProcessRun run;
  run.arguments = {"sh", "-c", std::move(script)};
  return run;
}

/// A process that runs such a script, which has the pipe's end as descriptor 3, and what is told by
/// that: nothing more, for good, once nobody has it any more.
struct Daemon {
  UniqueFd told;
  pid_t pid = -1;

  explicit Daemon(const std::string& script, const std::string& first_word = {}) {
    std::array<int, 2> ends{};
    REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
    told.reset(ends[0]);
    const UniqueFd teller(ends[1]);
    pid = fork();
    REQUIRE(pid >= 0);
    if (pid > 0) return;
    auto run = shell(script);
    run.descriptors = {teller.get()};
    const auto size = static_cast<ssize_t>(first_word.size());
    if (write(teller.get(), first_word.data(), first_word.size()) == size) run_process(run);
    _exit(0);
  }
  void hears(std::size_t bytes) const {
    std::string word(bytes, '\0');
    REQUIRE(read(told.get(), word.data(), bytes) == static_cast<ssize_t>(bytes));
  }
  void ends_with_all_that_it_started() const {
    REQUIRE(kill(pid, SIGKILL) == 0);
    REQUIRE(waitpid(pid, nullptr, 0) == pid);
    pollfd watched{told.get(), POLLIN, 0};
    REQUIRE(poll(&watched, 1, 60'000) == 1);
    char word = 0;
    CHECK(read(told.get(), &word, 1) == 0);
  }
};

bool is_alive(pid_t pid) { return kill(pid, 0) == 0; }

}  // namespace

TEST_CASE("a child's output, errors and exit status come back") {
  const auto end = run_process(shell("echo out; echo err >&2; exit 7"));
  CHECK(end.exit_status == 7);
  CHECK(end.output == "out\n");
  CHECK(end.errors == "err\n");
  CHECK_FALSE(end.stopped);
}

TEST_CASE("a child ended by a signal is reported as a shell does it") {
  CHECK(run_process(shell("kill -SEGV $$")).exit_status == 128 + SIGSEGV);
}

TEST_CASE("a program that is not there is a fault that says so") {
  ProcessRun run;
  run.arguments = {"satchel-no-such-program"};
  REQUIRE_THROWS_WITH(run_process(run), Catch::Contains("satchel-no-such-program") &&
                                            Catch::Contains("No such file"));
}

TEST_CASE("a child ends with a daemon that is killed") {
  const Daemon daemon("echo up >&3; exec sleep 600");
  daemon.hears(3);
  daemon.ends_with_all_that_it_started();
}

TEST_CASE("a child ends with a daemon that is killed while it is being started") {
  for (int i = 0; i < 100; ++i) {
    const Daemon daemon("exec sleep 600", "!");
    daemon.hears(1);
    pollfd watched{daemon.told.get(), POLLIN, 0};
    const timespec later{0, 50'000 * i};
    REQUIRE(ppoll(&watched, 1, &later, nullptr) == 0);
    INFO("killed after " << 50 * i << " us");
    daemon.ends_with_all_that_it_started();
  }
}

TEST_CASE("a child reads what it is given as standard input, and nothing otherwise") {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  REQUIRE(write(ends[1], "given", 5) == 5);
  close(ends[1]);
  const UniqueFd input(ends[0]);
  auto run = shell("cat");
  CHECK(run_process(run).output.empty());
  run.input = input.get();
  CHECK(run_process(run).output == "given");
}

TEST_CASE("output is kept bounded and its end is what is kept") {
  const auto end = run_process(shell("head -c 3000000 /dev/zero; printf last"));
  CHECK(end.output.size() == 1U << 20);
  CHECK(end.output.ends_with("last"));
}

TEST_CASE("much on both channels at once does not wedge the child") {
  const auto end = run_process(
      shell("head -c 2000000 /dev/zero & head -c 2000000 /dev/zero >&2; wait; printf x >&2"));
  CHECK(end.exit_status == 0);
  CHECK(end.errors.size() == 64U << 10);
  CHECK(end.errors.ends_with("x"));
}

TEST_CASE("output is handed on while the child still runs") {
  std::stop_source stop;
  auto run = shell("echo ready; exec sleep 1000");
  run.stop = stop.get_token();
  std::string seen;
  run.on_output = [&](std::string_view piece) {
    seen += piece;
    stop.request_stop();
  };
  const auto end = run_process(run);
  CHECK(seen == "ready\n");
  CHECK(end.stopped);
  CHECK(end.exit_status == 128 + SIGTERM);
}

TEST_CASE("a stop requested before the start ends the child at once") {
  std::stop_source stop;
  stop.request_stop();
  auto run = shell("exec sleep 1000");
  run.stop = stop.get_token();
  CHECK(run_process(run).stopped);
}

TEST_CASE("a stop from another thread ends the child and leaves no process") {
  std::stop_source stop;
  auto run = shell("echo $$; exec sleep 1000");
  run.stop = stop.get_token();
  std::thread stopper;
  run.on_output = [&](std::string_view) { stopper = std::thread([&] { stop.request_stop(); }); };
  const auto end = run_process(run);
  stopper.join();
  CHECK_FALSE(is_alive(std::stoi(end.output)));
  CHECK(errno == ESRCH);
}

TEST_CASE("a caller that throws while it takes output leaves no process") {
  pid_t pid = 0;
  auto run = shell("echo $$; exec sleep 1000");
  run.on_output = [&](std::string_view piece) {
    pid = std::stoi(std::string(piece));
    throw std::runtime_error("enough");
  };
  CHECK_THROWS_WITH(run_process(run), "enough");
  CHECK_FALSE(is_alive(pid));
}

TEST_CASE("the child gets the listed descriptors from 3 on, in order, and no others") {
  UniqueFd a(open("/dev/zero", O_RDONLY));
  UniqueFd b(open("/dev/null", O_RDONLY));
  UniqueFd leaked(open("/dev/full", O_RDONLY));
  auto run = shell("for f in /proc/$$/fd/*; do echo ${f##*/} $(readlink $f); done");
  run.descriptors = {b.get(), a.get()};
  const auto end = run_process(run);
  CHECK_THAT(end.output, Catch::Contains("\n3 /dev/null\n4 /dev/zero\n"));
  CHECK_THAT(end.output, Catch::StartsWith("0 /dev/null\n"));
  CHECK_THAT(end.output, !Catch::Contains("/dev/full"));
}

TEST_CASE("a child sees the locale of programs and ordinary signals") {
  setenv("LC_MESSAGES", "de_DE.UTF-8", 1);
  signal(SIGPIPE, SIG_IGN);
  const auto end = run_process(shell("echo $LC_ALL$LC_MESSAGES; kill -PIPE $$"));
  signal(SIGPIPE, SIG_DFL);
  unsetenv("LC_MESSAGES");
  CHECK(end.output == "C\n");
  CHECK(end.exit_status == 128 + SIGPIPE);
}

TEST_CASE("a child that closes its output is still waited for") {
  const auto end = run_process(shell("exec >&- 2>&-; read x < /dev/null; exit 3"));
  CHECK(end.exit_status == 3);
}
