#include "library_day.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <set>
#include <span>
#include <utility>

#include "base/fault.hpp"
#include "format/capsule_directory.hpp"

using namespace satchel;
using nlohmann::json;

namespace {

constexpr std::uint64_t virtual_size = 1U << 20;

std::string bytes_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw fault_from_errno(errno, "open", file);
  return {std::istreambuf_iterator<char>(in), {}};
}

format::CapsuleDirectory open_or_create(int root) {
  const auto there = format::CapsuleDirectory::list(root);
  return there.empty() ? format::CapsuleDirectory::create(root, CapsuleId(Uuid::random()))
                       : format::CapsuleDirectory::open(root, there.front());
}

format::Head next_of(const format::CapsuleDirectory& capsule,
                     const std::optional<format::SignedHead>& newest, const HostKey& key,
                     const std::string& what) {
  format::Head next;
  if (newest) {
    next = newest->head;
    next.generation.parent = newest->head.generation.id;
  } else {
    next.capsule = capsule.id();
    next.name = "traveller";
    next.machine_json = R"({"memory":1})";
    next.disks = {{"vda", ByteCount(virtual_size), {}}};
  }
  next.generation.seq = Sequence(newest ? newest->head.generation.seq.value + 1 : 1);
  next.generation.id = GenerationId(Uuid::random());
  next.generation.host = key.public_key().host_id();
  next.generation.host_name = "the computer before";
  next.generation.time = UnixMicros(1'700'000'000'000'000);
  next.history = {{next.generation, what}};
  return next;
}

void add(format::Head& head, format::Object object) {
  std::erase_if(head.objects, [&](const auto& each) { return each.path == object.path; });
  head.objects.push_back(std::move(object));
}

void patch(format::CapsuleDirectory& capsule, format::Head& head, const std::string& path,
           const std::string& bytes, off_t offset) {
  const auto* before = head.find(path);
  if (before == nullptr) throw fault_from_errno(ENOENT, "patch", path);
  const auto file = capsule.open_checked(*before, format::CapsuleDirectory::Access::read_write);
  if (::pwrite(file.get(), bytes.data(), bytes.size(), offset) !=
      static_cast<ssize_t>(bytes.size()))
    throw fault_from_errno(errno, "write", path);
  add(head, capsule.adopt_object(path, {}, {}));
}

void name_memory(format::Head& head, std::uint64_t seq) {
  const auto path = "memory/" + std::to_string(seq);
  head.hibernation = format::Hibernation{"zstd-blocks-1", path + ".pages", path + ".map",
                                         ByteCount(4096), "tcg",           "QEMU"};
}

void drop_unnamed(format::Head& head) {
  std::set<std::string> named{head.hibernation->pages, head.hibernation->map};
  for (const auto& disk : head.disks) named.insert(disk.chain.begin(), disk.chain.end());
  std::erase_if(head.objects, [&](const auto& each) { return !named.contains(each.path); });
  std::ranges::sort(head.objects, {}, &format::Object::path);
}

}  // namespace

json commit_as_told(const std::string& place, const json& wish, const HostKey& key) {
  const UniqueFd root(::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) throw fault_from_errno(errno, "open", place);
  auto capsule = open_or_create(root.get());
  auto next = next_of(capsule, capsule.examine().newest, key, wish.at("what"));
  if (wish.at("what") == "fold") next.epoch += 1;
  for (const auto& each : wish.at("write")) {
    const auto bytes = bytes_of(each.at(1));
    auto object = capsule.create_object(each.at(0));
    object.write(std::as_bytes(std::span(bytes)));
    add(next, object.finish());
  }
  for (const auto& each : wish.at("patch"))
    patch(capsule, next, each.at(0), bytes_of(each.at(1)), each.at(2).get<off_t>());
  next.disks.front().chain = wish.at("chain").get<std::vector<std::string>>();
  name_memory(next, wish.at("memory").get<std::uint64_t>());
  drop_unnamed(next);
  capsule.commit(next, key);
  capsule.sweep();
  return {{"seq", next.generation.seq.value}};
}
