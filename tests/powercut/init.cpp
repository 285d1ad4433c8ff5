// /init of the small computer (small.py): loads the modules beside it, and becomes the reader,
// which is asked and answers by the virtio port.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace {

std::vector<std::string> entries(const char* folder) {
  std::vector<std::string> names;
  if (DIR* open = opendir(folder)) {
    while (const dirent* entry = readdir(open))
      if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
    closedir(open);
  }
  std::sort(names.begin(), names.end());  // numbered in the order of what they need
  return names;
}

void load_modules() {
  for (const auto& name : entries("/modules")) {
    const int fd = open(("/modules/" + name).c_str(), O_RDONLY | O_CLOEXEC);
    if (syscall(SYS_finit_module, fd, "", 0) != 0) std::perror(name.c_str());
    close(fd);
  }
}

/// As USB storage has it: 120 KiB a transfer at most.
void limit_transfers() {
  const int fd = open("/sys/block/vda/queue/max_sectors_kb", O_WRONLY | O_CLOEXEC);
  if (write(fd, "120", 3) != 3) std::perror("max_sectors_kb");
  close(fd);
}

int open_port() {
  for (;;) {
    for (const auto& name : entries("/dev"))
      if (name.starts_with("vport")) return open(("/dev/" + name).c_str(), O_RDWR);
    poll(nullptr, 0, 10);
  }
}

/// Until then it reads as if it had ended.
void await_other_end(int port) {
  for (;;) {
    pollfd about{port, POLLIN, 0};
    if (poll(&about, 1, 100) >= 0 && (about.revents & POLLHUP) == 0) return;
    poll(nullptr, 0, 10);
  }
}

}  // namespace

int main(int, char** arguments) {
  for (const char* place : {"/proc", "/sys", "/dev", "/tmp", "/stick"}) mkdir(place, 0755);
  mount("devtmpfs", "/dev", "devtmpfs", 0, nullptr);
  mount("proc", "/proc", "proc", 0, nullptr);
  mount("sysfs", "/sys", "sysfs", 0, nullptr);
  const int console = open("/dev/console", O_WRONLY);
  dup2(console, STDERR_FILENO);
  load_modules();
  limit_transfers();
  const int port = open_port();
  await_other_end(port);
  dup2(port, STDIN_FILENO);
  dup2(port, STDOUT_FILENO);
  // The kernel's command line ends with "-- PROGRAM ARGUMENT…", of which it gives us the rest.
  execv(arguments[1], arguments + 1);
  std::perror(arguments[1]);
}
