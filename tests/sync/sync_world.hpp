// A guest's folder, a host's and the state between them in a directory of their own, which the
// host's folder has neighbours in that no sync may touch.
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/fault.hpp"
#include "base/handle.hpp"
#include "fakes/plain_tree.hpp"
#include "fakes/told_tree.hpp"
#include "sync/sync.hpp"

namespace satchel {

namespace fs = std::filesystem;

class SyncWorld {
 public:
  SyncWorld() {
    std::string name = "/tmp/satchel-sync-XXXXXX";
    REQUIRE(mkdtemp(name.data()) != nullptr);
    root = name;
    for (const auto* each : {"guest", "host", "state", "outside"})
      fs::create_directory(root / each);
    write("outside/secret", "secret");
  }
  SyncWorld(const SyncWorld&) = delete;
  SyncWorld& operator=(const SyncWorld&) = delete;
  ~SyncWorld() {
    const std::string command = "rm -rf " + root.string();
    (void)!::system(command.c_str());  // std::filesystem gives up on a path of 10,000 characters
  }

  /// Writes it, with a time in 2020 and one second later each time: as a clock would, and faster.
  void write(const std::string& path, const std::string& content, mode_t mode = 0644) {
    fs::create_directories((root / path).parent_path());
    std::ofstream(root / path, std::ios::binary) << content;
    REQUIRE(::chmod((root / path).c_str(), mode) == 0);
    const timespec times[] = {{++clock_, 0}, {clock_, 0}};
    REQUIRE(::utimensat(AT_FDCWD, (root / path).c_str(), times, 0) == 0);
  }
  std::string read(const std::string& path) const {
    std::ifstream file(root / path, std::ios::binary);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  bool has(const std::string& path) const { return fs::exists(fs::symlink_status(root / path)); }
  std::size_t count(const std::string& path) const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(root / path), {}));
  }
  mode_t mode(const std::string& path) const {
    struct stat about {};
    REQUIRE(::lstat((root / path).c_str(), &about) == 0);
    return about.st_mode & 07777U;
  }

  sync::Report run(sync::GuestTree& guest) {
    const UniqueFd target(::open((root / "host").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const UniqueFd state(::open((root / "state").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    order.target = target.get();
    order.state = state.get();
    last = sync::synchronise(order, guest, progress, stop);
    return last;
  }
  sync::Report run() {
    PlainTree guest(root / "guest");
    return run(guest);
  }
  /// Why a sync fails; it has to.
  Remedy failure(sync::GuestTree& guest) {
    try {
      run(guest);
    } catch (const Fault& fault) {
      said = fault.what();
      return fault.remedy();
    }
    FAIL("the sync was expected to fail");
    return Remedy::report_bug;
  }

  /// The report's line about a path: its sign, a blank and its text; "" when there is none.
  std::string line(const std::string& path) const {
    for (const auto& each : last.lines)
      if (each.path == path) return std::string(1, sync::sign(each.mark)) + " " + each.text;
    return {};
  }

  bool is_told_as_skipped(const std::string& path) const {
    return std::ranges::any_of(last.lines, [&](const sync::Line& each) {
      return each.path == path && each.text.starts_with("not carried: ");
    });
  }

  fs::path root;
  sync::Order order = [] {
    sync::Order out;
    out.capsule_name = "web";
    out.guest_shown = "/home/ann/Documents";
    out.host_shown = "the host's folder";
    out.now = UnixNanos(1'795'000'000'000'000'000);
    return out;
  }();
  ProgressSink progress;
  std::stop_token stop;
  sync::Report last;
  std::string said;

 private:
  std::time_t clock_ = 1'600'000'000;
};

}  // namespace satchel
