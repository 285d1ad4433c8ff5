#include "bus/private_bus.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>

namespace satchel::test {

namespace {

constexpr auto config = R"(<!DOCTYPE busconfig PUBLIC
 "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=@/bus</listen>
  <servicedir>@</servicedir>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
  </policy>
</busconfig>
)";

std::string read_line(int fd) {
  std::string line;
  char c = 0;
  while (::read(fd, &c, 1) == 1 && c != '\n') line += c;
  return line;
}

}  // namespace

PrivateBus::PrivateBus() {
  char name[] = "/tmp/satchel-bus-XXXXXX";
  if (!mkdtemp(name)) throw std::runtime_error("no temporary directory");
  directory_ = name;
  std::filesystem::permissions(directory_, std::filesystem::perms(0711));  // for other users
  std::string text = config;
  for (auto at = text.find('@'); at != text.npos; at = text.find('@'))
    text.replace(at, 1, directory_);
  std::ofstream(directory_ + "/bus.conf") << text;

  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
  const UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(to.get(), 1);
    const auto file = "--config-file=" + directory_ + "/bus.conf";
    execlp("dbus-daemon", "dbus-daemon", "--nofork", "--print-address=1", file.c_str(), nullptr);
    _exit(127);
  }
  to.reset();
  address_ = read_line(from.get());
  if (address_.empty()) throw std::runtime_error("dbus-daemon did not start");
}

PrivateBus::~PrivateBus() {
  kill();
  std::error_code ignored;  // a left-over directory in /tmp is no failure of the test
  std::filesystem::remove_all(directory_, ignored);
}

void PrivateBus::offer(const std::string& name, const std::string& program) const {
  std::ofstream(directory_ + "/" + name + ".service")
      << "[D-BUS Service]\nName=" << name << "\nExec=" << program << "\n";
}

void PrivateBus::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

bool run_until(boost::asio::io_context& io, const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  io.restart();
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    if (io.stopped()) io.restart();
    io.run_one_for(std::chrono::milliseconds(100));
  }
  return true;
}

void run(boost::asio::io_context& io, Task<void> task) {
  // Shared: when the deadline passes, the coroutine outlives this call.
  auto ended = std::make_shared<bool>(false);
  auto failure = std::make_shared<std::exception_ptr>();
  boost::asio::co_spawn(io, std::move(task), [ended, failure](std::exception_ptr error) {
    *failure = error;
    *ended = true;
  });
  if (!run_until(io, [ended] { return *ended; }))
    throw std::runtime_error("the deadline passed before the task had ended");
  if (*failure) std::rethrow_exception(*failure);
}

}  // namespace satchel::test
