// /init of the test CD: writes the test guest's disk image, which it carries in its initramfs, onto
// the first disk, and restarts the machine: all that an installer does that matters to Satchel.
#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace {

void say(const std::string& line) {
  const auto text = line + "\r\n";
  if (write(STDOUT_FILENO, text.data(), text.size()) < 0) _exit(1);
}

[[noreturn]] void fail(const std::string& what) {
  say("BROKEN 0 " + what + ": " + std::strerror(errno));
  for (;;) pause();
}

void load_modules() {
  std::vector<std::string> names;
  if (DIR* folder = opendir("/modules")) {
    while (const dirent* entry = readdir(folder))
      if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
    closedir(folder);
  }
  std::sort(names.begin(), names.end());
  for (const auto& name : names) {
    const int fd = open(("/modules/" + name).c_str(), O_RDONLY | O_CLOEXEC);
    syscall(SYS_finit_module, fd, "", 0);
    close(fd);
  }
}

void copy(int from, int to) {
  std::vector<char> buffer(1 << 20);
  for (;;) {
    const auto size = read(from, buffer.data(), buffer.size());
    if (size < 0) fail("read /image");
    if (size == 0) return;
    if (write(to, buffer.data(), static_cast<std::size_t>(size)) != size) fail("write /dev/vda");
  }
}

}  // namespace

int main() {
  mount("dev", "/dev", "devtmpfs", 0, "");
  const int serial = open("/dev/ttyS0", O_RDWR | O_NOCTTY);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(serial, fd);
  load_modules();
  say("installer");
  const int image = open("/image", O_RDONLY | O_CLOEXEC);
  if (image < 0) fail("open /image");
  const int disk = open("/dev/vda", O_WRONLY | O_CLOEXEC);
  if (disk < 0) fail("open /dev/vda");
  copy(image, disk);
  if (fsync(disk) != 0) fail("fsync /dev/vda");
  say("installed");
  reboot(RB_AUTOBOOT);
  fail("restart");
}
