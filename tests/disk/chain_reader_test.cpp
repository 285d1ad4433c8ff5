// What disks show, read from their chains' open files.
#include "disk/chain_reader.hpp"

#include <signal.h>
#include <unistd.h>

#include <functional>
#include <optional>
#include <sstream>
#include <thread>

#include "base/fault.hpp"
#include "disk/chain.hpp"
#include "disk/qcow2.hpp"
#include "disk/qemu_img.hpp"

using namespace satchel;
using namespace satchel::disk;

namespace {

using Names = std::vector<std::string>;

/// Opens the files of some disks, bottom first.
class Opened {
 public:
  Opened(const Files& files, const std::vector<Names>& disks) {
    for (const auto& names : disks) {
      ShownChain chain{"disk " + std::to_string(chains.size()), {}};
      for (const auto& name : names) {
        fds_.push_back(files.open(name));
        chain.files.push_back(fds_.back().get());
      }
      chains.push_back(std::move(chain));
    }
  }
  std::vector<ShownChain> chains;

 private:
  std::vector<UniqueFd> fds_;
};

/// The children of this process, zombies too.
std::vector<pid_t> children() {
  std::vector<pid_t> out;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream in(entry.path() / "stat");
    std::string text;
    std::getline(in, text);
    const auto name_end = text.rfind(')');
    if (name_end == text.npos) continue;
    char state = 0;
    pid_t parent = 0;
    std::istringstream(text.substr(name_end + 1)) >> state >> parent;
    if (parent == getpid()) out.push_back(std::stoi(entry.path().filename()));
  }
  return out;
}

std::string read_at(ChainReader& reader, std::size_t disk, std::uint64_t offset,
                    std::size_t length) {
  std::string out(length, '?');
  reader.read(disk, offset, std::as_writable_bytes(std::span(out)));
  return out;
}

Fault fault_of(ChainReader& reader, std::size_t disk, std::uint64_t offset, std::size_t length) {
  try {
    read_at(reader, disk, offset, length);
  } catch (const Fault& fault) {
    return fault;
  }
  FAIL("it was read");
  throw;
}

/// What the top of a chain shows, as qemu-img follows the headers.
std::string shown(const Files& files, const std::string& top) {
  files.run("qemu-img convert -f qcow2 -O raw " + top + " raw");
  return files.read("raw");
}

/// An eject's layer of one that was written: compressed, over the same file.
void pack(const Files& files, const std::string& layer, const std::string& below) {
  compress_overlay(files.path(layer), files.path("packed"), {});
  const UniqueFd fd(::open(files.path("packed").c_str(), O_RDWR | O_CLOEXEC));
  set_backing(fd.get(), below);
  files.run("mv packed " + layer);
}

void make_disk(const Files& files, const std::string& name) {
  create_overlay({files.path(name), mebibytes(32), std::nullopt});
  files.run(
      "head -c 24M /dev/urandom | base64 -w 0 > noise && qemu-io -f qcow2 -c 'write -q -s noise 0 "
      "32M' " +
      name);
}

bool only_these_remain(const Files& files, const Names& names) {
  for (const auto& entry : std::filesystem::directory_iterator(files.path("")))
    if (std::find(names.begin(), names.end(), entry.path().filename()) == names.end()) return false;
  return true;
}

/// Does something as soon as the thread that makes this waits for something.
class OnceWaiting {
 public:
  explicit OnceWaiting(std::function<void()> act)
      : thread_([stat = "/proc/self/task/" + std::to_string(gettid()) + "/stat",
                 act = std::move(act)](const std::stop_token& stop) {
          const auto waits = [&stat] {
            std::ifstream in(stat);
            std::string text;
            std::getline(in, text);
            return text.find(") S ") != text.npos;
          };
          while (!waits() && !stop.stop_requested()) std::this_thread::yield();
          act();
        }) {}

 private:
  std::jthread thread_;
};

}  // namespace

TEST_CASE("image, COW file and compressed layers show what qemu-img shows of them") {
  for (const unsigned seed : {11U, 12U}) {
    const Files files;
    const Chain chain(files, seed, 2);
    pack(files, "layer-2.qcow2", "cow.qcow2");
    pack(files, "layer-3.qcow2", "layer-2.qcow2");
    const auto above = shown(files, "layer-3.qcow2");
    const auto below = shown(files, "cow.qcow2");
    const Opened opened(files, {chain.names(), {"image.qcow2", "cow.qcow2"}});
    ChainReader reader(opened.chains, files.path(""), {});
    std::mt19937 random(seed);
    for (int i = 0; i < 300; ++i) {
      const std::size_t length = 1 + random() % (i % 50 == 0 ? 5U << 20 : 200'000U);
      const auto offset = random() % (Chain::size - length);
      INFO("seed " << seed << ", " << length << " bytes at " << offset);
      const bool second = random() % 4 == 0;
      CHECK((read_at(reader, second ? 1 : 0, offset, length) ==
             (second ? below : above).substr(offset, length)));
    }
    CHECK((read_at(reader, 0, 0, Chain::size) == above));
  }
  CHECK(children().empty());
}

TEST_CASE("there is a child from the first read on, and no trace of it after the reader") {
  const Files files;
  create_overlay({files.path("disk"), mebibytes(1), std::nullopt});
  const Opened opened(files, {{"disk"}});
  {
    ChainReader reader(opened.chains, files.path(""), {});
    CHECK(children().empty());
    CHECK(read_at(reader, 0, 4096, 5) == std::string(5, '\0'));
    CHECK(children().size() == 1);
    CHECK(only_these_remain(files, {"disk"}));
  }
  CHECK(children().empty());
  { const ChainReader unused(opened.chains, files.path(""), {}); }
}

TEST_CASE("a read past the end of a disk is refused, and the next one is answered") {
  const Files files;
  create_overlay({files.path("disk"), mebibytes(1), std::nullopt});
  const Opened opened(files, {{"disk"}});
  ChainReader reader(opened.chains, files.path(""), {});
  constexpr std::uint64_t size = 1 << 20;
  CHECK(read_at(reader, 0, size, 0).empty());
  CHECK(fault_of(reader, 0, size, 1).remedy() == Remedy::choose);
  CHECK(fault_of(reader, 0, size - 4096, 4097).remedy() == Remedy::choose);
  CHECK(fault_of(reader, 0, ~std::uint64_t{0}, 2).remedy() == Remedy::choose);
  CHECK(fault_of(reader, 1, 0, 1).remedy() == Remedy::report_bug);
  CHECK(read_at(reader, 0, size - 1, 1) == std::string(1, '\0'));
}

TEST_CASE("a child that is killed makes this read and each later one a fault") {
  const Files files;
  make_disk(files, "disk");
  const Opened opened(files, {{"disk"}, {"disk"}});
  ChainReader reader(opened.chains, files.path(""), {});
  read_at(reader, 0, 0, 1);
  const auto child = children().at(0);
  std::optional<OnceWaiting> killing;
  SECTION("between two reads") { ::kill(child, SIGKILL); }
  SECTION("in the middle of one") {
    ::kill(child, SIGSTOP);
    killing.emplace([child] { ::kill(child, SIGKILL); });
  }
  for (const std::size_t disk : {0U, 0U, 1U}) {
    const auto fault = fault_of(reader, disk, 4096, 16 << 20);
    CHECK(fault.remedy() == Remedy::retry);
    CHECK(fault.text().why == "it ended with status 137");
  }
  CHECK(children().empty());
}

TEST_CASE("a stop ends a read that gets no answer") {
  const Files files;
  make_disk(files, "disk");
  const Opened opened(files, {{"disk"}});
  std::stop_source stop;
  ChainReader reader(opened.chains, files.path(""), stop.get_token());
  read_at(reader, 0, 0, 1);
  const auto child = children().at(0);
  ::kill(child, SIGSTOP);
  {
    const OnceWaiting stopping([&stop] { stop.request_stop(); });
    const auto fault = fault_of(reader, 0, 0, 32 << 20);
    CHECK(fault.remedy() == Remedy::retry);
    CHECK(fault.text().why == "it was stopped");
  }
  CHECK(fault_of(reader, 0, 0, 1).text().why == "it was stopped");
  ::kill(child, SIGCONT);
}

TEST_CASE("nothing is started after a stop") {
  const Files files;
  create_overlay({files.path("disk"), mebibytes(1), std::nullopt});
  const Opened opened(files, {{"disk"}});
  std::stop_source stop;
  ChainReader reader(opened.chains, files.path(""), stop.get_token());
  stop.request_stop();
  CHECK(fault_of(reader, 0, 0, 1).remedy() == Remedy::retry);
  CHECK(children().empty());
}

TEST_CASE("content that can't be read is a fault of that read alone") {
  const Files files;
  make_disk(files, "disk");
  pack(files, "disk", "nowhere");
  const auto whole = std::filesystem::file_size(files.path("disk"));
  files.run("truncate -s " + std::to_string(whole / 2) + " disk");
  const Opened opened(files, {{"disk"}});
  ChainReader reader(opened.chains, files.path(""), {});
  const auto noise = files.read("noise");
  CHECK((read_at(reader, 0, 0, 65536) == noise.substr(0, 65536)));
  const auto fault = fault_of(reader, 0, 31 << 20, 65536);
  CHECK(fault.remedy() == Remedy::replug);
  CHECK(fault.text().object == "disk 0");
  CHECK((read_at(reader, 0, 65536, 65536) == noise.substr(65536, 65536)));
}

TEST_CASE("a file that is no qcow2 file, and a directory that is not there") {
  const Files files;
  files.write("noise", random_bytes(1 << 20, 7));
  const Opened opened(files, {{"noise"}});
  ChainReader reader(opened.chains, files.path(""), {});
  CHECK_THROWS_WITH(read_at(reader, 0, 0, 1), Catch::Contains("not in qcow2 format"));
  CHECK_THROWS_WITH(read_at(reader, 0, 0, 1), Catch::Contains("not in qcow2 format"));
  CHECK(children().empty());
  CHECK(only_these_remain(files, {"noise"}));
  ChainReader nowhere(opened.chains, files.path("absent"), {});
  CHECK_THROWS_WITH(read_at(nowhere, 0, 0, 1), Catch::Contains("No such file or directory"));
}
