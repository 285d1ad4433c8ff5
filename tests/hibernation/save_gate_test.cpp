#include "hibernation/save_gate.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdlib>
#include <future>
#include <string>
#include <thread>

#include "base/fault.hpp"
#include "hibernation/save_image.hpp"

using namespace satchel;
using namespace satchel::hibernation;
using namespace std::chrono_literals;

namespace {

constexpr auto deadline = 60s;

class Directory {
 public:
  Directory() {
    signal(SIGPIPE, SIG_IGN);
    std::string name = "/tmp/satchel-gate-XXXXXX";
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// How a save ended, as libvirt would tell.
enum class Save { complete, no_first_open, broken_stream, no_second_open, broken_header };

/// Opens as libvirt does: what is there and no plain file is never made anew.
UniqueFd open_like_libvirt(const std::string& path, int flags) {
  struct stat found {};
  if (stat(path.c_str(), &found) == 0 && !S_ISREG(found.st_mode)) flags &= ~O_CREAT;
  return UniqueFd(open(path.c_str(), flags, 0600));
}

bool write_all(int fd, const std::string& bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const auto n = write(fd, bytes.data() + at, bytes.size() - at);
    if (n < 0) return false;
    at += static_cast<std::size_t>(n);
  }
  return true;
}

/// libvirt's part: the stream, then the header, each with an open of its own.
Save play_libvirt(const std::string& path, const std::string& stream) {
  auto fd = open_like_libvirt(path, O_WRONLY | O_TRUNC | O_CREAT);
  if (!fd) return Save::no_first_open;
  if (!write_all(fd.get(), stream)) return Save::broken_stream;
  fd.reset();
  fd = open_like_libvirt(path, O_WRONLY);
  if (!fd) return Save::no_second_open;
  if (!write_all(fd.get(), std::string(save_header_size, 'H'))) return Save::broken_header;
  return Save::complete;
}

std::future<Save> libvirt_saving(const SaveGate& gate, std::string stream) {
  return std::async(std::launch::async, [path = gate.path().string(), stream = std::move(stream)] {
    return play_libvirt(path, stream);
  });
}

std::string read_to_end(SaveGate& gate, std::stop_token stop = {}) {
  std::string out;
  std::array<std::byte, 70'000> buffer;
  while (const auto n = gate.read(buffer, stop))
    out.append(reinterpret_cast<const char*>(buffer.data()), n);
  return out;
}

/// As the gate's owner has to do it.
Save refuse_until_ended(SaveGate& gate, std::future<Save>& save) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  do {
    gate.refuse();
    REQUIRE(std::chrono::steady_clock::now() < end);
  } while (save.wait_for(1ms) != std::future_status::ready);
  return save.get();
}

}  // namespace

TEST_CASE("a save completes when the gate is opened, and not before") {
  Directory directory;
  const auto size = GENERATE(1U, 4096U, 65'536U, 3'000'000U);
  std::string stream(size, 's');
  for (std::size_t i = 0; i < stream.size(); ++i) stream[i] = static_cast<char>(i * 7 + i / 256);
  {
    SaveGate gate(directory.path());
    auto save = libvirt_saving(gate, stream);
    CHECK((read_to_end(gate) == stream));
    CHECK(save.wait_for(0s) == std::future_status::timeout);
    gate.open({});
    CHECK(save.get() == Save::complete);
  }
  CHECK(std::filesystem::is_empty(directory.path()));
}

TEST_CASE("a save refused at the gate fails while its guest still lives") {
  Directory directory;
  SaveGate gate(directory.path());
  auto save = libvirt_saving(gate, std::string(100'000, 's'));
  read_to_end(gate);
  CHECK(refuse_until_ended(gate, save) == Save::broken_header);
}

TEST_CASE("a save refused in mid-stream fails") {
  Directory directory;
  SaveGate gate(directory.path());
  auto save = libvirt_saving(gate, std::string(50'000'000, 's'));
  std::array<std::byte, 1000> buffer;
  gate.read(buffer, {});
  CHECK(refuse_until_ended(gate, save) == Save::broken_stream);
}

TEST_CASE("a save refused before it begins fails and makes no file") {
  Directory directory;
  {
    SaveGate gate(directory.path());
    gate.refuse();
    CHECK(play_libvirt(gate.path(), "stream") == Save::no_first_open);
    CHECK_FALSE(std::filesystem::is_regular_file(gate.path()));
  }
  CHECK(std::filesystem::is_empty(directory.path()));
}

TEST_CASE("a gate that nobody decided about refuses, also those who come later") {
  Directory directory;
  { const SaveGate gate(directory.path()); }
  CHECK(play_libvirt(directory.path() / "save", "stream") == Save::no_first_open);
  SaveGate next(directory.path());
  auto save = libvirt_saving(next, "stream");
  CHECK(read_to_end(next) == "stream");
  next.open({});
  CHECK(save.get() == Save::complete);
}

TEST_CASE("a save refused at any moment never completes") {
  Directory directory;
  for (int round = 0; round < 200; ++round) {
    SaveGate gate(directory.path());
    auto save =
        libvirt_saving(gate, std::string(1 + static_cast<std::size_t>(round % 7) * 3000, 's'));
    std::stop_source stop;
    // Stopped at an instant of its own in each round.
    auto stopper = std::async(std::launch::async, [&stop, round] {
      for (std::atomic<int> i = 0; i < round * 300; ++i) {
      }
      stop.request_stop();
    });
    try {
      read_to_end(gate, stop.get_token());
    } catch (const Fault& fault) {
      REQUIRE(fault.remedy() == Remedy::retry);
    }
    REQUIRE(refuse_until_ended(gate, save) != Save::complete);
    REQUIRE_FALSE(std::filesystem::is_regular_file(gate.path()));
  }
}

TEST_CASE("many saves one after the other complete with their stream whole") {
  Directory directory;
  for (int round = 0; round < 100; ++round) {
    const std::string stream(1 + static_cast<std::size_t>(round) * 13, static_cast<char>(round));
    SaveGate gate(directory.path());
    auto save = libvirt_saving(gate, stream);
    REQUIRE((read_to_end(gate) == stream));
    gate.open({});
    REQUIRE(save.get() == Save::complete);
  }
}

TEST_CASE("a stop ends the wait for a writer that never comes") {
  Directory directory;
  SaveGate gate(directory.path());
  std::stop_source stop;
  auto reading =
      std::async(std::launch::async, [&] { return read_to_end(gate, stop.get_token()); });
  stop.request_stop();
  CHECK_THROWS_AS(reading.get(), Fault);
}

TEST_CASE("a stream that breaks off is never taken for a whole one") {
  Directory directory;
  SaveGate gate(directory.path());
  std::stop_source stop;
  std::atomic<bool> ended = false;
  auto reading = std::async(std::launch::async, [&] {
    try {
      read_to_end(gate, stop.get_token());
      ended = true;
    } catch (const Fault&) {
    }
  });
  auto fd = open_like_libvirt(gate.path(), O_WRONLY);
  REQUIRE(write_all(fd.get(), std::string(200'000, 's')));
  fd.reset();  // a migration that failed: libvirt does not come back
  CHECK(reading.wait_for(50ms) == std::future_status::timeout);
  stop.request_stop();
  reading.get();
  CHECK_FALSE(ended);
  CHECK_THROWS_AS(gate.open({}), Fault);
}

TEST_CASE("a libvirt that goes away at the gate does not count as a save") {
  Directory directory;
  SaveGate gate(directory.path());
  auto save = std::async(std::launch::async, [path = gate.path().string()] {
    auto fd = open_like_libvirt(path, O_WRONLY);
    write_all(fd.get(), "stream");
    fd = UniqueFd();
    fd = open_like_libvirt(path, O_WRONLY);
  });
  read_to_end(gate);
  save.get();
  CHECK_THROWS_WITH(gate.open({}), Catch::Contains("libvirt went away"));
}

/// A process that has the gate up and reads what comes, to be killed.
class Daemon {
 public:
  explicit Daemon(const std::filesystem::path& directory) {
    std::array<int, 2> told{};
    REQUIRE(pipe2(told.data(), O_CLOEXEC) == 0);
    const UniqueFd reader(told[0]);
    UniqueFd writer(told[1]);
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) serve(directory, writer.get());
    writer.reset();
    std::array<char, 256> buffer{};
    const auto n = read(reader.get(), buffer.data(), buffer.size());
    REQUIRE(n > 0);
    path_.assign(buffer.data(), static_cast<std::size_t>(n));
  }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon() { end(); }
  void end() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  const std::string& path() const { return path_; }

 private:
  [[noreturn]] static void serve(const std::filesystem::path& directory, int tell) {
    SaveGate gate(directory);
    write_all(tell, gate.path().string());
    try {
      read_to_end(gate);
    } catch (const Fault&) {
    }
    while (true) pause();
  }

  pid_t pid_ = 0;
  std::string path_;
};

TEST_CASE("whoever comes back to the gate of a killed daemon is turned away, and its guest lives") {
  const Directory directory;
  Daemon daemon(directory.path());
  auto stream = open_like_libvirt(daemon.path(), O_WRONLY | O_TRUNC | O_CREAT);
  REQUIRE(stream);
  // All of it is out before the daemon dies: QEMU has no complaint.
  REQUIRE(write_all(stream.get(), "stream"));
  daemon.end();
  stream.reset();
  auto second = std::async(std::launch::async, [&] {
    return static_cast<bool>(open_like_libvirt(daemon.path(), O_WRONLY));
  });
  const bool answered = second.wait_for(10s) == std::future_status::ready;
  SaveGate::turn_away_leftover(directory.path());
  CHECK(answered);
  CHECK_FALSE(second.get());
}

TEST_CASE("leftovers of a killed daemon do not matter") {
  Directory directory;
  for (const auto* name : {"save", "save.new", "save.refused"})
    REQUIRE(mkfifo((directory.path() / name).c_str(), 0600) == 0);
  SaveGate gate(directory.path());
  gate.refuse();
  CHECK(play_libvirt(gate.path(), "stream") == Save::no_first_open);
}
