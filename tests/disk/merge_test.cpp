#include "disk/merge.hpp"

#include <signal.h>

#include <utility>

#include "base/fault.hpp"
#include "disk/chain.hpp"

using namespace satchel;
using namespace satchel::disk;

namespace {

/// Our child that runs the program; 0 when there is none.
pid_t child_running(const std::string& program) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream in(entry.path() / "stat");
    std::string pid, name, state, parent;
    if (in >> pid >> name >> state >> parent && parent == std::to_string(getpid()) &&
        name == "(" + program.substr(0, 15) + ")")
      return std::stoi(pid);
  }
  return 0;
}

/// Slow enough to be looked at a few times on the way.
ChainMerge slowly(ChainMerge merge) {
  merge.bytes_per_second = 8 << 20;
  return merge;
}

}  // namespace

TEST_CASE("a merged chain shows what it showed, and the file that took the layers does alone") {
  const Files files;
  const Chain chain(files, GENERATE(1U, 2U, 3U), 3);
  const auto top = chain.names().back();
  const auto before = chain.content(top);
  REQUIRE(chain.content("cow.qcow2") != before);

  std::vector<Progress> seen;
  merge_chain(Chain::Opened(chain, 1, 4).merge, [&](const Progress& p) { seen.push_back(p); }, {});
  CHECK(chain.content(top) == before);
  CHECK(chain.content("cow.qcow2") == before);
  CHECK(chain.is_clean());
  REQUIRE_FALSE(seen.empty());
  CHECK(seen.back().done == seen.back().total);

  // And the same one step lower.
  merge_chain(Chain::Opened(chain, 0, 1).merge, {}, {});
  CHECK(chain.content(top) == before);
  CHECK(chain.content("image.qcow2") == before);
  CHECK(chain.is_clean());
}

TEST_CASE("only the layers between base and top are merged, and only base changes") {
  const Files files;
  const Chain chain(files, 4, 3);
  const auto two = chain.content("layer-2.qcow2");
  std::vector<std::string> bytes;
  for (const auto& name : chain.names()) bytes.push_back(files.read(name));
  merge_chain(Chain::Opened(chain, 1, 2).merge, {}, {});
  CHECK(chain.content("cow.qcow2") == two);
  for (std::size_t i = 0; i < bytes.size(); ++i)
    CHECK((files.read(chain.names()[i]) == bytes[i]) == (i != 1));
}

TEST_CASE("a merge that is killed at any point is simply run again") {
  const Files files;
  const Chain chain(files, 5, 3);
  const auto top = chain.names().back();
  const auto before = chain.content(top);
  for (int kill_at = 1; kill_at <= 5; ++kill_at) {
    int looks = 0;
    const ProgressSink killing = [&](const Progress&) {
      if (++looks == kill_at) kill(child_running("qemu-storage-daemon"), SIGKILL);
    };
    CHECK_THROWS_AS(merge_chain(slowly(Chain::Opened(chain, 1, 4).merge), killing, {}), Fault);
    CHECK(looks == kill_at);
    CHECK(chain.content(top) == before);
    CHECK(chain.is_sound());
  }
  merge_chain(Chain::Opened(chain, 1, 4).merge, {}, {});
  CHECK(chain.content(top) == before);
  CHECK(chain.content("cow.qcow2") == before);
  CHECK(chain.is_sound());
}

TEST_CASE("a stopped merge ends in good order and leaves no process") {
  const Files files;
  const Chain chain(files, 6, 2);
  const auto top = chain.names().back();
  const auto before = chain.content(top);
  std::stop_source stop;
  int looks = 0;
  const ProgressSink stopping = [&](const Progress&) {
    if (++looks == 3) stop.request_stop();
  };
  try {
    merge_chain(slowly(Chain::Opened(chain, 1, 3).merge), stopping, stop.get_token());
    FAIL("it was not stopped");
  } catch (const Fault& fault) {
    CHECK(fault.remedy() == Remedy::retry);
    CHECK(fault.text().why == "it was stopped");
  }
  CHECK(child_running("qemu-storage-daemon") == 0);
  CHECK(chain.content(top) == before);
  CHECK(chain.is_clean());
}

TEST_CASE("what the layers discarded or wrote as zeros takes no room in the file below") {
  const Files files;
  Chain chain(files, 7, 0);
  files.run("qemu-io -f qcow2 -c 'write -q -P 7 0 16M' cow.qcow2");
  files.run("qemu-img create -q -f qcow2 -b cow.qcow2 -F qcow2 layer.qcow2 32M");
  files.run(
      "qemu-io -f qcow2 -d unmap -c 'discard -q 0 8M' -c 'write -q -z 8M 4M' "
      "-c 'write -q -P 0 12M 4M' -c 'write -q -z 16M 16M' layer.qcow2");
  const auto before = chain.content("layer.qcow2");
  const auto room = chain.allocated("cow.qcow2");
  std::vector<UniqueFd> fds;
  for (const auto* name : {"image.qcow2", "cow.qcow2", "layer.qcow2"})
    fds.emplace_back(::open(files.path(name).c_str(), O_RDWR | O_CLOEXEC));
  merge_chain({{fds[0].get(), fds[1].get(), fds[2].get()}, 1, 2, 0}, {}, {});
  CHECK(chain.content("cow.qcow2") == before);
  CHECK(chain.allocated("cow.qcow2") <= room - (15 << 20));
  CHECK(chain.is_clean());
}

TEST_CASE("what QEMU says is the reason of a merge's fault") {
  const Files files;
  const Chain chain(files, 8, 1);
  Chain::Opened opened(chain, 1, 2);
  files.write("noise", random_bytes(1 << 20, 1));
  const auto noise = files.open("noise");
  const auto cow = std::exchange(opened.merge.files[1], noise.get());
  CHECK_THROWS_WITH(merge_chain(opened.merge, {}, {}), Catch::Contains("not in qcow2 format"));
  opened.merge.files[1] = cow;
  CHECK_THROWS_AS(merge_chain({opened.merge.files, 2, 2, 0}, {}, {}), Fault);
  CHECK_THROWS_AS(merge_chain({opened.merge.files, 1, 3, 0}, {}, {}), Fault);
  // A program that holds the file, such as a guest that runs on it.
  files.run("mkfifo hold && (qemu-io -f qcow2 cow.qcow2 < hold > held 2>&1 & echo $! > pid)");
  const UniqueFd hold(::open(files.path("hold").c_str(), O_WRONLY | O_CLOEXEC));
  files.run("until grep -q qemu-io held; do :; done");
  CHECK_THROWS_WITH(merge_chain(Chain::Opened(chain, 1, 2).merge, {}, {}), Catch::Contains("lock"));
  files.run("kill $(cat pid)");
}

TEST_CASE("a device that is full or fails in the middle of a merge fails it, and no more") {
  if (geteuid() != 0 || !std::filesystem::exists("/dev/fuse")) {
    WARN("no FUSE here; not tried");
    return;
  }
  const auto [error, remedy] =
      GENERATE(std::pair("ENOSPC", Remedy::free_space), std::pair("EIO", Remedy::replug));
  const Files files;
  const Chain chain(files, 9, 2);
  const auto top = chain.names().back();
  const auto before = chain.content(top);
  // The COW file lives on a disk that begins to refuse writes when a file appears.
  files.run("mkdir stick && truncate -s 128M medium && dd if=cow.qcow2 of=medium conv=notrunc");
  files.run("(nbdfuse -P pid stick/disk [ nbdkit --exit-with-parent -f --filter=error file " +
            files.path("medium") + " error-pwrite=" + error +
            " error-pwrite-rate=100% error-pwrite-file=" + files.path("refuse") +
            " ] > nbdfuse.log 2>&1 &); until test -s pid; do :; done");
  {
    auto opened = Chain::Opened(chain, 1, 3);
    const UniqueFd disk(::open(files.path("stick/disk").c_str(), O_RDWR | O_CLOEXEC));
    REQUIRE(disk);
    opened.merge.files[1] = disk.get();
    const ProgressSink refusing = [&](const Progress&) { files.write("refuse", ""); };
    try {
      merge_chain(slowly(opened.merge), refusing, {});
      FAIL("it did not fail");
    } catch (const Fault& fault) {
      INFO(fault.what());
      CHECK(fault.remedy() == remedy);
    }
    std::filesystem::remove(files.path("refuse"));
  }
  files.run("fusermount3 -u stick");
  files.run("mv medium cow.qcow2");
  CHECK(chain.is_sound());
  CHECK(chain.content(top) == before);
  merge_chain(Chain::Opened(chain, 1, 3).merge, {}, {});
  CHECK(chain.content("cow.qcow2") == before);
}
