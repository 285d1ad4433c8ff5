#include "async/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

#include "async/wake.hpp"
#include "base/fault.hpp"

namespace satchel {

namespace {

constexpr std::size_t output_limit = 1U << 20;
constexpr std::size_t errors_limit = 64U << 10;
/// How long a program may take to end after SIGTERM before it gets SIGKILL.
constexpr std::chrono::milliseconds grace{10'000};

struct Pipe {
  UniqueFd read, write;
  Pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) throw fault_from_errno(errno, "make", "a pipe");
    read.reset(ends[0]);
    write.reset(ends[1]);
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) throw fault_from_errno(errno, "set up", "a pipe");
  }
};

/// posix_spawn's two parameter objects.
struct SpawnPlan {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;

  SpawnPlan() {
    check(posix_spawn_file_actions_init(&files));
    check(posix_spawnattr_init(&attributes));
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  static void check(int error) {
    if (error != 0) throw fault_from_errno(error, "prepare", "a child process");
  }
};

/// Our environment with the locale of programs.
std::vector<std::string> child_environment() {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (!text.starts_with("LC_") && !text.starts_with("LANG")) out.emplace_back(text);
  }
  out.emplace_back("LC_ALL=C");
  return out;
}

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (auto& each : strings) out.push_back(each.data());
  out.push_back(nullptr);
  return out;
}

/// The program as one that ends when the thread does that waits for it, however that ends: what
/// outlived a killed daemon would keep the device busy, and write beside the next daemon. Where
/// that thread was gone before the kernel was asked for the signal, nothing is begun.
std::vector<std::string> tied(const std::vector<std::string>& program) {
  std::vector<std::string> out{"setpriv", "--pdeathsig", "KILL", "--"};
  for (const auto* each : {"sh", "-c", "[ \"$PPID\" = \"$0\" ] && exec \"$@\""})
    out.emplace_back(each);
  out.push_back(std::to_string(::getpid()));
  out.insert(out.end(), program.begin(), program.end());
  return out;
}

Fault not_started(const std::string& program, const std::string& why) {
  return Fault(Remedy::ask_admin,
               {"start", program, why, "Install it, or put it where the service's PATH finds it."});
}

/// What a shell says, with this status, of a program that it could not become.
constexpr int not_found = 127;
bool could_not_become(const std::string& program, const std::string& errors) {
  return errors.find("exec: " + program + ": not found") != errors.npos;
}

/// A child that is certainly ended and reaped when this goes out of scope.
class Child {
 public:
  Child(const ProcessRun& run, int output, int errors) {
    SpawnPlan plan;
    const int first_free = 3 + static_cast<int>(run.descriptors.size());
    // Out of the way first: a descriptor may have a number that another one is to get.
    std::vector<UniqueFd> lent;
    for (const int fd : run.descriptors) {
      lent.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, first_free));
      if (!lent.back()) throw fault_from_errno(errno, "lend a descriptor to", run.arguments.at(0));
    }
    auto* files = &plan.files;
    UniqueFd out(fcntl(output, F_DUPFD_CLOEXEC, first_free));
    UniqueFd err(fcntl(errors, F_DUPFD_CLOEXEC, first_free));
    if (!out || !err) throw fault_from_errno(errno, "start", run.arguments.at(0));
    UniqueFd in;
    if (run.input >= 0) {
      in.reset(fcntl(run.input, F_DUPFD_CLOEXEC, first_free));
      if (!in) throw fault_from_errno(errno, "lend a descriptor to", run.arguments.at(0));
      SpawnPlan::check(posix_spawn_file_actions_adddup2(files, in.get(), 0));
    } else {
      SpawnPlan::check(posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0));
    }
    SpawnPlan::check(posix_spawn_file_actions_adddup2(files, out.get(), 1));
    SpawnPlan::check(posix_spawn_file_actions_adddup2(files, err.get(), 2));
    int target = 3;
    for (const auto& fd : lent)
      SpawnPlan::check(posix_spawn_file_actions_adddup2(files, fd.get(), target++));
    SpawnPlan::check(posix_spawn_file_actions_addclosefrom_np(files, first_free));

    sigset_t defaults;
    sigset_t mask;
    sigfillset(&defaults);
    sigemptyset(&mask);
    SpawnPlan::check(posix_spawnattr_setsigdefault(&plan.attributes, &defaults));
    SpawnPlan::check(posix_spawnattr_setsigmask(&plan.attributes, &mask));
    SpawnPlan::check(
        posix_spawnattr_setflags(&plan.attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK));

    auto arguments = tied(run.arguments);
    auto environment = child_environment();
    const int error = posix_spawnp(&pid_, arguments.at(0).c_str(), files, &plan.attributes,
                                   pointers_to(arguments).data(), pointers_to(environment).data());
    if (error != 0) throw not_started(arguments[0], std::strerror(error));
    // By its number: the C library's header declares the function with C++ linkage.
    watch_.reset(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
    if (!watch_) {
      const int reason = errno;
      end();
      throw fault_from_errno(reason, "watch", run.arguments[0]);
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { end(); }

  /// Readable when it has ended.
  int watch() const { return watch_.get(); }
  void signal(int number) const { kill(pid_, number); }
  /// Waits; as a shell has it.
  int reap() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

 private:
  void end() {
    if (pid_ < 0) return;
    signal(SIGKILL);
    reap();
  }

  pid_t pid_ = -1;
  UniqueFd watch_;
};

void keep_last(std::string& text, std::string_view piece, std::size_t limit) {
  text += piece;
  if (text.size() > limit) text.erase(0, text.size() - limit);
}

/// Reads what is there; closes the pipe at its end.
template <class Take>
void drain(UniqueFd& from, const Take& take) {
  std::array<char, 16384> buffer;
  while (from) {
    const ssize_t n = ::read(from.get(), buffer.data(), buffer.size());
    if (n > 0) {
      take(std::string_view(buffer.data(), static_cast<std::size_t>(n)));
    } else if (n == 0) {
      from.reset();
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      throw fault_from_errno(errno, "read", "a child's output");
    }
  }
}

/// For poll(2): milliseconds, rounded up; -1 for ever.
int time_until(std::chrono::steady_clock::time_point when) {
  if (when == std::chrono::steady_clock::time_point::max()) return -1;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(when - std::chrono::steady_clock::now());
  return static_cast<int>(std::max(left, std::chrono::milliseconds(0)).count());
}

}  // namespace

ProcessEnd run_process(const ProcessRun& run) {
  ProcessEnd result{0, {}, {}, false};
  Pipe output;
  Pipe errors;
  const StopWake wake(run.stop);
  Child child(run, output.write.get(), errors.write.get());
  output.write.reset();
  errors.write.reset();

  const auto take_output = [&](std::string_view piece) {
    keep_last(result.output, piece, output_limit);
    if (run.on_output) run.on_output(piece);
  };
  const auto take_errors = [&](std::string_view piece) {
    keep_last(result.errors, piece, errors_limit);
  };
  using Clock = std::chrono::steady_clock;
  auto patience_ends = Clock::time_point::max();
  auto next_beat = run.talk.on_turn ? Clock::now() + run.talk.beat : Clock::time_point::max();
  int talk = run.talk.descriptor;
  bool ended = false;
  while (!ended) {
    // poll(2) passes over negative descriptors: a pipe at its end, a stop already seen.
    std::array<pollfd, 5> watched{{{output.read.get(), POLLIN, 0},
                                   {errors.read.get(), POLLIN, 0},
                                   {child.watch(), POLLIN, 0},
                                   {result.stopped ? -1 : wake.fd(), POLLIN, 0},
                                   {talk, POLLIN, 0}}};
    if (poll(watched.data(), watched.size(), time_until(std::min(patience_ends, next_beat))) < 0) {
      if (errno != EINTR) throw fault_from_errno(errno, "wait for", run.arguments[0]);
      continue;
    }
    const auto now = Clock::now();
    if (now >= patience_ends) {
      child.signal(SIGKILL);
      patience_ends = now + grace;
    }
    if (watched[3].revents != 0) {
      result.stopped = true;
      patience_ends = now + grace;
      child.signal(SIGTERM);
    }
    ended = watched[2].revents != 0;
    drain(output.read, take_output);
    drain(errors.read, take_errors);
    // Also when it has ended: its last words may still be there.
    if (run.talk.on_turn && (ended || watched[4].revents != 0 || now >= next_beat)) {
      run.talk.on_turn();
      next_beat = now + run.talk.beat;
      if ((watched[4].revents & POLLHUP) != 0) talk = -1;
    }
  }
  result.exit_status = child.reap();
  if (result.exit_status == not_found && could_not_become(run.arguments[0], result.errors))
    throw not_started(run.arguments[0], std::strerror(ENOENT));
  return result;
}

}  // namespace satchel
