// Stops the commit at every one of its effects: by an error, and by a loss of power after which the
// medium holds any part of what was not yet synced.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>
#include <map>
#include <random>
#include <set>

#include "base/fault.hpp"
#include "format/effects.hpp"
#include "format/sample.hpp"

using namespace satchel;
using namespace satchel::format;
namespace fs = std::filesystem;
using Kind = Effect::Kind;

namespace {

// What a medium may hold: contents and names that were synced for certain, any others perhaps.
class Medium {
 public:
  void apply(const Effect& effect) {
    const std::string folder = fs::path(effect.path).parent_path();
    switch (effect.kind) {
      case Kind::create:
      case Kind::make_directory:
        files_.push_back({effect.kind == Kind::make_directory, {}, {}});
        live_[effect.path] = files_.size() - 1;
        names_[folder].push_back({effect.path, files_.size() - 1});
        break;
      case Kind::remove:
        live_.erase(effect.path);
        names_[folder].push_back({effect.path, {}});
        break;
      case Kind::write:
      case Kind::truncate:
        files_[live_.at(effect.path)].pending.push_back(effect);
        break;
      case Kind::sync:
        for (const auto& change : names_[effect.path]) rename(durable_, change);
        names_[effect.path].clear();
        if (const auto at = live_.find(effect.path); at != live_.end()) {
          File& file = files_[at->second];
          for (const auto& each : file.pending) write(file.durable, each, each.bytes.size());
          file.pending.clear();
        }
    }
  }

  /// Lays one possible state of the medium, whose root was `root`, down in `target`.
  void lay(const std::string& root, const fs::path& target, std::mt19937& random) const {
    auto names = durable_;
    for (const auto& [folder, changes] : names_)
      for (const auto& change : changes)
        if (random() % 2 == 0) rename(names, change);
    for (const auto& [path, number] : names) {
      const fs::path at = target / fs::relative(path, root);
      if (!fs::is_directory(at.parent_path())) continue;  // its directory's name was lost
      const File& file = files_[number];
      if (file.directory) {
        fs::create_directory(at);
        continue;
      }
      std::string bytes = file.durable;
      for (const auto& each : file.pending)
        if (random() % 2 == 0)
          write(bytes, each,
                random() % 2 == 0 ? each.bytes.size() : random() % (each.bytes.size() + 1));
      overwrite(at, bytes);
    }
  }

 private:
  struct File {
    bool directory;
    std::string durable;
    std::vector<Effect> pending;
  };
  struct Change {
    std::string path;
    std::optional<std::size_t> file;
  };
  using Names = std::map<std::string, std::size_t>;

  static void rename(Names& names, const Change& change) {
    if (change.file)
      names[change.path] = *change.file;
    else
      names.erase(change.path);
  }
  static void write(std::string& bytes, const Effect& effect, std::size_t size) {
    if (effect.kind == Kind::truncate) {
      bytes.resize(effect.offset);
    } else if (size > 0) {
      bytes.resize(std::max(bytes.size(), effect.offset + size));
      std::copy_n(effect.bytes.begin(), size, bytes.begin() + static_cast<long>(effect.offset));
    }
  }

  std::vector<File> files_;
  Names live_;
  Names durable_;
  std::map<std::string, std::vector<Change>> names_;  // not yet synced, by directory
};

void require_whole(const CapsuleDirectory& capsule, const SignedHead& generation) {
  for (const auto& object : generation.head.objects)
    capsule.read_object(object, ByteCount(1 << 20));
}

}  // namespace

TEST_CASE("after a loss of power at any instant the generation before or the one after is whole") {
  constexpr std::size_t generations = 4;
  const Scratch stick;
  const CapsuleId id{Uuid::random()};
  Effects effects;
  std::vector<std::size_t> committed;  // how many effects had been when it was
  std::vector<SignedHead> heads;
  effects.during([&] {
    auto capsule = CapsuleDirectory::create(stick.fd(), id);
    committed.push_back(effects.log.size());
    std::optional<SignedHead> parent;
    for (std::size_t n = 1; n <= generations; ++n) {
      parent = commit_next(capsule, parent, std::to_string(n));
      committed.push_back(effects.log.size());
      heads.push_back(*parent);
      capsule.sweep();
    }
  });

  Medium medium;
  std::mt19937 random(42);
  std::set<std::uint64_t> seen;
  for (std::size_t n = 0; n <= effects.log.size(); ++n) {
    if (n > 0) medium.apply(effects.log[n - 1]);
    if (n < committed[0]) continue;
    const auto done = static_cast<std::uint64_t>(
        std::ranges::count_if(committed, [&](std::size_t at) { return at <= n; }) - 1);
    for (int draw = 0; draw < 4; ++draw) {
      const Scratch after;
      medium.lay(stick.path(), after.path(), random);
      INFO("after effect " << n << ", draw " << draw << ", " << done << " committed");
      auto capsule = CapsuleDirectory::open(after.fd(), id);
      const Examination found = capsule.examine();
      const std::uint64_t newest = found.newest ? found.newest->head.generation.seq.value : 0;
      INFO("problems: " << (found.problems.empty() ? "" : found.problems[0]));
      REQUIRE((newest == done || newest == done + 1));
      seen.insert(newest);
      if (newest == 0) continue;
      REQUIRE(found.newest->head == heads[newest - 1].head);
      require_whole(capsule, *found.newest);
    }
  }
  CHECK(seen.size() == generations + 1);
}

TEST_CASE(
    "a commit that fails at any of its effects leaves the generation before, and is retried anew") {
  const bool device_is_gone = GENERATE(false, true);
  const int error = GENERATE(EIO, ENOSPC);
  std::size_t failures = 0;
  for (std::size_t n = 0;; ++n) {
    const Scratch stick;
    const CapsuleId id{Uuid::random()};
    auto capsule = CapsuleDirectory::create(stick.fd(), id);
    const SignedHead first = commit_next(capsule, {}, "1");
    const SignedHead second = commit_next(capsule, first, "2");
    Effects effects;
    effects.fail_at = n;
    effects.fails_on = device_is_gone;
    effects.error = error;
    bool failed = false;
    effects.during([&] {
      try {
        commit_next(capsule, second, "3");
      } catch (const Fault& fault) {
        failed = true;
        CHECK(fault.remedy() == (error == EIO ? Remedy::replug : Remedy::free_space));
      }
    });
    if (!failed) break;
    ++failures;
    INFO("failed at effect " << n);
    CHECK_THROWS_AS(capsule.commit(next_head(id, second), host_key()), Fault);
    auto again = CapsuleDirectory::open(stick.fd(), id);
    const Examination found = again.examine();
    REQUIRE(found.newest);
    const std::uint64_t newest = found.newest->head.generation.seq.value;
    REQUIRE((newest == 2 || newest == 3));
    require_whole(again, *found.newest);
    commit_next(again, found.newest, "again");
    CHECK(again.examine().problems.empty());
  }
  CHECK(failures > 12);
}

TEST_CASE("a commit syncs objects, their directories, head, its directory, and then the slot") {
  const Scratch stick;
  auto capsule = CapsuleDirectory::create(stick.fd(), CapsuleId(Uuid::random()));
  const SignedHead first = commit_next(capsule, {}, "1");
  Effects effects;
  effects.during([&] { commit_next(capsule, first, "2"); });
  const fs::path folder = stick.capsule(capsule.id());
  std::vector<std::string> order;
  for (const auto& each : effects.log) {
    const std::string path = fs::relative(each.path, folder);
    switch (each.kind) {
      case Kind::create:
        order.push_back("create " + path);
        break;
      case Kind::make_directory:
        order.push_back("mkdir " + path);
        break;
      case Kind::remove:
        order.push_back("remove " + path);
        break;
      case Kind::write:
        order.push_back("write " + path);
        break;
      case Kind::truncate:
        order.push_back("truncate " + path);
        break;
      case Kind::sync:
        order.push_back("sync " + path);
        break;
    }
  }
  const std::vector<std::string> expected = {"create vda/layer-2.qcow2",
                                             "write vda/layer-2.qcow2",
                                             "sync vda/layer-2.qcow2",
                                             "create memory/2.pages",
                                             "write memory/2.pages",
                                             "sync memory/2.pages",
                                             "create memory/2.map",
                                             "write memory/2.map",
                                             "sync memory/2.map",
                                             "sync memory",
                                             "sync vda",
                                             "create heads/2.json",
                                             "write heads/2.json",
                                             "sync heads/2.json",
                                             "sync heads",
                                             "write slots/1",
                                             "sync slots/1"};
  CHECK(order == expected);
  CHECK(effects.log[15].bytes.size() == 512);
}

TEST_CASE("where directories can't be synced, the whole filesystem is") {
  const Scratch stick;
  Effects effects;
  effects.directory_sync_error = EINVAL;
  const CapsuleId id{Uuid::random()};
  effects.during([&] {
    auto capsule = CapsuleDirectory::create(stick.fd(), id);
    commit_next(capsule, {}, "1");
  });
  CHECK(CapsuleDirectory::open(stick.fd(), id).examine().newest);
  Effects broken;
  broken.directory_sync_error = EIO;
  broken.during([&] {
    auto capsule = CapsuleDirectory::open(stick.fd(), id);
    const auto newest = capsule.examine().newest;
    CHECK_THROWS_AS(commit_next(capsule, newest, "2"), Fault);
  });
  CHECK(CapsuleDirectory::open(stick.fd(), id).examine().newest->head.generation.seq ==
        Sequence(1));
}
