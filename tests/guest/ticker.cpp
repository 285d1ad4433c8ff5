// The test guest's only program, its /init: counts, writes each count to disk, and checks at every
// tick that what memory holds and what the disk gives back are the same. One line a tick on the
// first serial port: "tick N mem=H disk=H ok", or "BROKEN N reason" from the first mismatch on, for
// ever.
//
// Kernel command line: satchel.hard=M  write M MiB of random data in each tick, and check it
//                      satchel.halt=N  power off at count N
//                      satchel.disks=2 do the same on the second disk
//                      satchel.fill=M  hold M MiB of random memory, and check it (default 16)
#include <dirent.h>
#include <fcntl.h>
#include <linux/input.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "ring.hpp"

namespace {

constexpr long kPeriodNs = 150'000'000;

std::string read_text(const char* path) {
  std::string text(4096, '\0');
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  const ssize_t n = fd < 0 ? 0 : read(fd, text.data(), text.size());
  if (fd >= 0) close(fd);
  text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return text;
}

std::uint64_t option(const std::string& command_line, const std::string& name,
                     std::uint64_t otherwise) {
  const auto at = command_line.find("satchel." + name + "=");
  return at == std::string::npos ? otherwise
                                 : std::stoull(command_line.substr(at + name.size() + 9));
}

void load_modules() {
  std::vector<std::string> names;
  if (DIR* folder = opendir("/modules")) {
    while (const dirent* entry = readdir(folder)) {
      if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
    }
    closedir(folder);
  }
  std::sort(names.begin(), names.end());  // numbered in the order of what they need
  for (const auto& name : names) {
    const int fd = open(("/modules/" + name).c_str(), O_RDONLY | O_CLOEXEC);
    if (syscall(SYS_finit_module, fd, "", 0) != 0)
      say("module " + name + ": " + std::strerror(errno));
    close(fd);
  }
}

int open_power_button() {
  for (int i = 0; i < 8; ++i) {
    const std::string number = std::to_string(i);
    if (read_text(("/sys/class/input/event" + number + "/device/name").c_str()) == "Power Button\n")
      return open(("/dev/input/event" + number).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  }
  return -1;
}

bool pressed(int button) {
  input_event event{};
  while (button >= 0 && read(button, &event, sizeof event) == sizeof event) {
    if (event.type == EV_KEY && event.code == KEY_POWER && event.value == 1) return true;
  }
  return false;
}

void open_serial() {
  serial = open("/dev/ttyS0", O_RDWR | O_NOCTTY | O_CLOEXEC);
  termios settings{};
  tcgetattr(serial, &settings);
  cfmakeraw(&settings);
  tcsetattr(serial, TCSANOW, &settings);
}

[[noreturn]] void power_off(std::uint64_t count) {
  say("halt " + std::to_string(count));
  tcdrain(serial);
  sync();
  reboot(RB_POWER_OFF);
  for (;;) pause();
}

void await_node(const char* node) {
  const timespec moment{0, 10'000'000};
  for (int i = 0; i < 1000 && access(node, F_OK) != 0; ++i) nanosleep(&moment, nullptr);
}

void report(const char* what, std::uint64_t count, const std::vector<Ring>& rings) {
  std::uint64_t memory = 0, disk = 0;
  for (const Ring& ring : rings) {
    const std::uint64_t now = ring.memory_digest();
    if (now != ring.expected_digest()) broke("memory is not as written");
    if (now != ring.disk_digest()) broke("memory and disk differ");
    memory = memory * 31 + now;
    disk = disk * 31 + ring.disk_digest();
  }
  char line[128];
  std::snprintf(line, sizeof line, "%s %llu mem=%016llx disk=%016llx ok", what,
                static_cast<unsigned long long>(count), static_cast<unsigned long long>(memory),
                static_cast<unsigned long long>(disk));
  say(broken.empty() ? line : "BROKEN " + std::to_string(count) + " " + broken);
}

/// The count that the disks hold. A power cut may have fallen between the two writes of one count.
std::uint64_t load(std::vector<Ring>& rings) {
  const std::uint64_t count = rings.front().load();
  for (std::size_t i = 1; i < rings.size(); ++i) {
    const std::uint64_t last = rings[i].load();
    if (last + 1 == count) {
      rings[i].write_count(count);
      rings[i].read_back(count);
    } else if (last != count) {
      broke("the disks' counts differ");
    }
  }
  return count;
}

}  // namespace

int main() {
  mkdir("/proc", 0755);
  mkdir("/sys", 0755);
  mkdir("/dev", 0755);
  mount("devtmpfs", "/dev", "devtmpfs", 0, nullptr);
  mount("proc", "/proc", "proc", 0, nullptr);
  mount("sysfs", "/sys", "sysfs", 0, nullptr);
  open_serial();
  load_modules();
  const std::string command_line = read_text("/proc/cmdline");
  const std::uint64_t hard = option(command_line, "hard", 0);
  const std::uint64_t halt = option(command_line, "halt", 0);
  const int button = open_power_button();

  std::vector<Ring> rings;
  await_node("/dev/vda2");
  rings.emplace_back("/dev/vda2");
  if (option(command_line, "disks", 1) == 2) {
    await_node("/dev/vdb");
    rings.emplace_back("/dev/vdb");
  }
  const Filling filling(option(command_line, "fill", 16));
  std::uint64_t count = load(rings);
  report("boot", count, rings);
  timespec next{};
  clock_gettime(CLOCK_MONOTONIC, &next);
  for (;;) {
    ++count;
    for (Ring& ring : rings) {
      if (!broken.empty()) break;
      ring.write_count(count);
      if (hard) ring.write_hard(hard);
      ring.read_back(count);
    }
    filling.check(count);
    report("tick", count, rings);
    if ((halt != 0 && count == halt) || pressed(button)) power_off(count);
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    next.tv_nsec += kPeriodNs;
    if (next.tv_nsec >= 1'000'000'000) next.tv_nsec -= 1'000'000'000, ++next.tv_sec;
    if (next.tv_sec < now.tv_sec || (next.tv_sec == now.tv_sec && next.tv_nsec < now.tv_nsec))
      next = now;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, nullptr);
  }
}
