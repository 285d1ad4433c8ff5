#include "format/sample.hpp"

#include <fcntl.h>
#include <stdlib.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <sstream>

namespace satchel::format {
namespace fs = std::filesystem;

Scratch::Scratch() {
  std::string name = (fs::temp_directory_path() / "satchel-format-XXXXXX").string();
  path_ = ::mkdtemp(name.data());
  fd_.reset(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(fd_);
}

Scratch::~Scratch() { fs::remove_all(path_); }

std::string contents(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  REQUIRE(in);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

void overwrite(const fs::path& file, std::string_view bytes) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << bytes;
  REQUIRE(out.flush());
}

std::string listing(const fs::path& folder) {
  std::vector<std::string> lines;
  for (const auto& each : fs::recursive_directory_iterator(folder)) {
    std::string line = fs::relative(each.path(), folder).string();
    if (each.is_regular_file() && !each.is_symlink())
      line += " " + digest_of(contents(each.path())).hex();
    lines.push_back(line);
  }
  std::ranges::sort(lines);
  std::string out;
  for (const auto& each : lines) out += each + "\n";
  return out;
}

const HostKey& host_key(const std::string& name) {
  static const Scratch scratch;
  static std::map<std::string, HostKey> keys;
  const auto at = keys.find(name);
  if (at != keys.end()) return at->second;
  return keys.emplace(name, HostKey::load_or_create(scratch.path() / name)).first->second;
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

Object put(CapsuleDirectory& capsule, const std::string& path, std::string_view bytes) {
  ObjectWriter writer = capsule.create_object(path);
  writer.write(bytes_of(bytes));
  return writer.finish();
}

Head next_head(CapsuleId id, const std::optional<SignedHead>& parent, const HostKey& key) {
  Head head;
  head.capsule = id;
  head.name = "a machine";
  head.machine_json = R"({"memory":1})";
  head.generation.seq = Sequence(1);
  if (parent) {
    head.generation.seq = Sequence(parent->head.generation.seq.value + 1);
    head.generation.parent = parent->head.generation.id;
  }
  head.generation.id = GenerationId(Uuid::random());
  head.generation.host = key.public_key().host_id();
  head.generation.host_name = "host";
  head.generation.time = UnixMicros(1'700'000'000'000'000);
  return head;
}

void fill(Head& head, std::vector<Object> objects) {
  std::ranges::sort(objects, {}, &Object::path);
  Disk disk{"vda", ByteCount(1U << 30), {}};
  Hibernation memory{"zstd-blocks-1", {}, {}, ByteCount(4096), "tcg", "QEMU 7.2.22", false};
  for (const auto& each : objects) {
    if (each.path == "vda/image.qcow2")
      disk.chain.insert(disk.chain.begin(), each.path);
    else if (each.path.starts_with("vda/"))
      disk.chain.push_back(each.path);
    if (each.path.ends_with(".pages")) memory.pages = each.path;
    if (each.path.ends_with(".map")) memory.map = each.path;
    if (each.path.ends_with(".nvram")) head.nvram = each.path;
  }
  if (!disk.chain.empty()) head.disks.push_back(disk);
  if (!memory.pages.empty()) head.hibernation = memory;
  head.objects = std::move(objects);
}

Head rich_head() {
  Head head = next_head(CapsuleId(Uuid::random()), std::nullopt);
  head.generation.seq = Sequence(7);
  head.generation.parent = GenerationId(Uuid::random());
  head.name = "Büro – 機械";
  head.epoch = 3;
  head.checked_out = CheckedOut{HostId(Uuid::random()), "laptop", SessionId(Uuid::random()),
                                UnixMicros(1'700'000'000'000'001)};
  head.machine_json = R"({"cpu":{"features":["a","b"]},"memory":268435456,"title":"ein \"Gast\""})";
  std::vector<Object> objects;
  for (const char* path : {"vda/cow.qcow2", "vda/image.qcow2", "vda/layer-7.qcow2", "memory/7.map",
                           "memory/7.pages", "state/7.nvram"})
    objects.push_back({path, ByteCount(1000), digest_of(std::string_view(path))});
  fill(head, std::move(objects));
  head.disks[0].chain = {"vda/image.qcow2", "vda/cow.qcow2", "vda/layer-7.qcow2"};
  Generation past = head.generation;
  past.seq = Sequence(6);
  past.id = *head.generation.parent;
  past.parent = GenerationId(Uuid::random());
  head.history = {{past, "eject"}, {head.generation, "check out"}};
  return head;
}

SignedHead commit_next(CapsuleDirectory& capsule, const std::optional<SignedHead>& parent,
                       std::string_view what) {
  Head head = next_head(capsule.id(), parent);
  const std::string seq = std::to_string(head.generation.seq.value);
  std::vector<Object> objects;
  if (parent) {
    for (const auto& each : parent->head.objects)
      if (each.path == "vda/image.qcow2" || each.path == "vda/cow.qcow2") objects.push_back(each);
  } else {
    objects.push_back(put(capsule, "vda/image.qcow2", "image"));
    objects.push_back(put(capsule, "vda/cow.qcow2", "cow"));
  }
  objects.push_back(put(capsule, "vda/layer-" + seq + ".qcow2", "layer " + std::string(what)));
  objects.push_back(put(capsule, "memory/" + seq + ".pages", "pages " + std::string(what)));
  objects.push_back(put(capsule, "memory/" + seq + ".map", "map " + std::string(what)));
  fill(head, std::move(objects));
  return capsule.commit(head, host_key());
}

}  // namespace satchel::format
