// What overlays decide of a disk, and where it stands.
#include "disk/written.hpp"

#include <signal.h>

#include <nlohmann/json.hpp>

#include "base/fault.hpp"
#include "disk/chain.hpp"
#include "disk/qemu_img.hpp"

using namespace satchel;
using namespace satchel::disk;
using As = Written::As;

namespace {

constexpr std::uint64_t cluster = 65536;

std::vector<Written> written(const Files& files, const std::vector<std::string>& names) {
  std::vector<std::string> paths;
  for (const auto& name : names) paths.push_back(files.path(name));
  return written_in(paths, {});
}

/// An overlay as a guest writes it; what its header names as below is gone then, and nobody may
/// look for it.
void make(const Files& files, const std::string& name, const std::string& changes) {
  create_overlay({files.path("below.qcow2"), mebibytes(32), std::nullopt});
  create_overlay({files.path(name), mebibytes(32), "below.qcow2"});
  files.run("qemu-io -f qcow2 -d unmap " + changes + " " + name + " && rm below.qcow2");
}

/// "data 0+2 of 0" and so on, in clusters: all but the places.
std::vector<std::string> in_words(const std::vector<Written>& parts) {
  std::vector<std::string> out;
  for (const auto& part : parts) {
    const auto* as = part.as == As::data ? "data" : part.as == As::zeros ? "zeros" : "compressed";
    out.push_back(std::string(as) + " " + std::to_string(part.offset / cluster) + "+" +
                  std::to_string(part.length / cluster));
    CHECK(part.offset % cluster == 0);
    CHECK(part.length % cluster == 0);
    if (part.as == As::data)
      out.back() += " of " + std::to_string(part.file);
    else
      CHECK((part.file == 0 && part.place == 0));
  }
  return out;
}

using Words = std::vector<std::string>;

/// The bytes that the parts say, over those that are there.
void lay_over(std::string& content, const std::vector<Written>& parts,
              const std::vector<std::string>& files) {
  for (const auto& part : parts) {
    REQUIRE(part.offset + part.length <= content.size());
    REQUIRE(part.as != As::compressed);
    content.replace(part.offset, part.length,
                    part.as == As::data ? files.at(part.file).substr(part.place, part.length)
                                        : std::string(part.length, '\0'));
  }
}

void check_order(const std::vector<Written>& parts) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    CHECK(parts[i].length > 0);
    if (i == 0) continue;
    const auto& before = parts[i - 1];
    CHECK(before.offset + before.length <= parts[i].offset);
    const bool touch = before.offset + before.length == parts[i].offset;
    if (touch && before.as == parts[i].as) {
      CHECK(before.as == As::data);
      CHECK((before.file != parts[i].file || before.place + before.length != parts[i].place));
    }
  }
}

/// How many bytes of the disk the topmost files decide, as QEMU follows the chain itself.
std::uint64_t decided_above(const Files& files, const std::string& top, std::size_t topmost) {
  std::uint64_t out = 0;
  const auto map = files.run("qemu-img map -f qcow2 --output=json " + top);
  for (const auto& extent : nlohmann::json::parse(map))
    if (extent["present"] == true && extent["depth"] < topmost)
      out += extent["length"].get<std::uint64_t>();
  return out;
}

/// Kills a guest that wrote its process id into a file.
class Guest {
 public:
  explicit Guest(const Files& files) : pid_(std::stoi(files.read("pid"))) {}
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;
  ~Guest() { ::kill(pid_, SIGKILL); }

 private:
  pid_t pid_;
};

}  // namespace

TEST_CASE("data, zeros and what was discarded are told, and what was left alone is not") {
  const Files files;
  make(files, "overlay",
       "-c 'write -P 1 0 128k' -c 'write -z 128k 64k' -c 'discard 192k 64k' "
       "-c 'write -P 2 1M 192k' -c 'discard 1088k 64k' "  // was written before
       "-c 'write -P 3 2M 4k' -c 'write -z 3M 4k' "       // part of a cluster decides it
       "-c 'write -P 4 4M 64k' -c 'write -z 4M 64k' "     // keeps its place, reads as zeros
       "-c 'write -P 5 32704k 64k'");                     // the last one
  const auto parts = written(files, {"overlay"});
  CHECK(in_words(parts) == Words{"data 0+2 of 0", "zeros 2+2", "data 16+1 of 0", "zeros 17+1",
                                 "data 18+1 of 0", "data 32+1 of 0", "zeros 48+1", "zeros 64+1",
                                 "data 511+1 of 0"});
  const auto bytes = files.read("overlay");
  for (const auto& [index, fill] : {std::pair(0, 1), {2, 2}, {4, 2}, {8, 5}}) {
    const auto& part = parts.at(static_cast<std::size_t>(index));
    CHECK((bytes.substr(part.place, part.length) ==
           std::string(part.length, static_cast<char>(fill))));
  }
  CHECK((bytes.substr(parts.at(5).place, 8192) == std::string(4096, 3) + std::string(4096, '\0')));
}

TEST_CASE("nothing was written, and there is no overlay") {
  const Files files;
  make(files, "overlay", "-c 'read 0 64k'");
  CHECK(written(files, {"overlay"}).empty());
  CHECK(written(files, {}).empty());
}

TEST_CASE("of several overlays the newest that decides wins") {
  const Files files;
  make(files, "one", "-c 'write -P 1 0 1M' -c 'write -P 1 2M 64k' -c 'write -z 3M 1M'");
  make(files, "two",
       "-c 'write -P 2 128k 128k' -c 'discard 512k 64k' -c 'write -P 2 960k 128k' "
       "-c 'write -P 2 3M 64k' -c 'write -z 4M 64k'");
  make(files, "three", "-c 'write -z 192k 64k' -c 'write -P 3 2M 64k'");
  CHECK(in_words(written(files, {"one", "two", "three"})) ==
        Words{"data 0+2 of 0", "data 2+1 of 1", "zeros 3+1", "data 4+4 of 0", "zeros 8+1",
              "data 9+6 of 0", "data 15+2 of 1", "data 32+1 of 2", "data 48+1 of 1",
              "zeros 49+16"});
}

TEST_CASE("what is compressed within an overlay has no place") {
  const Files files;
  make(files, "plain", "-c 'write -P 1 0 256k' -c 'write -z 1M 64k'");
  compress_overlay(files.path("plain"), files.path("packed"), {});
  CHECK(in_words(written(files, {"packed"})) == Words{"compressed 0+4", "zeros 16+1"});
  make(files, "newer", "-c 'write -P 2 64k 64k'");
  CHECK(in_words(written(files, {"packed", "newer"})) ==
        Words{"compressed 0+1", "data 1+1 of 1", "compressed 2+2", "zeros 16+1"});
}

TEST_CASE("a disk that was made smaller ends where the newest overlay says") {
  const Files files;
  make(files, "one", "-c 'write -P 1 0 32M'");
  create_overlay({files.path("two"), mebibytes(1), "nowhere.qcow2"});
  CHECK(in_words(written(files, {"one", "two"})) == Words{"data 0+16 of 0"});
}

TEST_CASE("random overlays, laid over what is below them, give what QEMU shows") {
  for (const unsigned seed : {1U, 2U, 3U, 4U}) {
    INFO("seed " << seed);
    const Files files;
    const Chain chain(files, seed, 3);
    const std::vector<std::string> names(chain.names().begin() + 2, chain.names().end());
    const auto parts = written(files, names);
    check_order(parts);
    std::vector<std::string> contents;
    for (const auto& name : names) contents.push_back(files.read(name));
    chain.content("cow.qcow2");
    auto ours = files.read("content");
    lay_over(ours, parts, contents);
    chain.content(names.back());
    CHECK((ours == files.read("content")));
    std::uint64_t told = 0;
    for (const auto& part : parts) told += part.length;
    CHECK(told == decided_above(files, names.back(), names.size()));
  }
}

TEST_CASE("an overlay is read while a suspended guest has it open") {
  const Files files;
  make(files, "overlay", "-c 'write -P 1 64k 64k'");
  files.run(
      "qemu-system-x86_64 -S -machine none -display none -daemonize -pidfile pid -blockdev "
      "driver=qcow2,node-name=disk,backing=,file.driver=file,file.filename=$PWD/overlay");
  const Guest guest(files);
  CHECK_THROWS_WITH(check({files.path("overlay"), "qcow2"}), Catch::Contains("lock"));
  CHECK(in_words(written(files, {"overlay"})) == Words{"data 1+1 of 0"});
}

TEST_CASE("a stop, a file that is gone, one that is none") {
  const Files files;
  make(files, "overlay", "-c 'write -P 1 64k 64k'");
  std::stop_source stop;
  stop.request_stop();
  try {
    written_in({files.path("overlay")}, stop.get_token());
    FAIL("it was not stopped");
  } catch (const Fault& fault) {
    CHECK(fault.remedy() == Remedy::retry);
  }
  CHECK_THROWS_WITH(written(files, {"overlay", "absent"}),
                    Catch::Contains("No such file or directory"));
  files.write("noise", random_bytes(1 << 20, 6));
  CHECK_THROWS_WITH(written(files, {"noise"}), Catch::Contains("not in qcow2 format"));
}
