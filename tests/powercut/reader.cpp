// Reads devices as the product does, for tests/powercut. For each line of input one line of JSON:
//   look ROOT   every generation that the slots of a mounted device offer, and whether each of its
//               objects is bit for bit what its head says
//   go on ROOT  the same after two more generations were committed there, each swept behind: a
//               check-out, and one with a new layer on each disk
// Its only argument is the file of the key that signs these.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <exception>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "base/fault.hpp"
#include "format/capsule_directory.hpp"

using namespace satchel;
using nlohmann::json;

namespace {

constexpr std::size_t chunk = 1U << 20;

std::string digest_of_file(int fd, const std::string& shown) {
  std::vector<std::byte> buffer(chunk);
  Hasher hasher;
  for (;;) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw fault_from_errno(errno, "read", shown);
    if (n == 0) return hasher.finish().hex();
    hasher.add(std::span(buffer).first(static_cast<std::size_t>(n)));
  }
}

/// Digests of files, each read once however many generations name it.
class Files {
 public:
  explicit Files(const format::CapsuleDirectory& capsule) : capsule_(capsule) {}

  json look(const format::Object& object) {
    json out{{"path", object.path}, {"wanted", object.digest.hex()}};
    try {
      auto at = digests_.find(object.path);
      if (at == digests_.end()) {
        const auto fd = capsule_.open_checked(object, format::CapsuleDirectory::Access::read);
        at = digests_.emplace(object.path, digest_of_file(fd.get(), object.path)).first;
      }
      out["found"] = at->second;
    } catch (const Fault& fault) {
      out["trouble"] = fault.what();
    }
    return out;
  }

 private:
  const format::CapsuleDirectory& capsule_;
  std::map<std::string, std::string> digests_;
};

json look_at(const format::SignedHead& generation, Files& files) {
  const auto& head = generation.head;
  json out{{"seq", head.generation.seq.value},
           {"id", head.generation.id.value.str()},
           {"parent", nullptr},
           {"what", head.history.empty() ? "" : head.history.back().what},
           {"chains", json::array()},
           {"objects", json::array()}};
  if (head.generation.parent) out["parent"] = head.generation.parent->value.str();
  for (const auto& disk : head.disks) out["chains"].push_back(disk.chain);
  for (const auto& object : head.objects) out["objects"].push_back(files.look(object));
  return out;
}

json look_at(int root, CapsuleId id) {
  auto capsule = format::CapsuleDirectory::open(root, id);
  const auto seen = capsule.examine();
  Files files(capsule);
  json out{{"id", id.value.str()}, {"problems", seen.problems}, {"generations", json::array()}};
  for (const auto* each : {&seen.newest, &seen.previous})
    if (*each) out["generations"].push_back(look_at(**each, files));
  return out;
}

format::Head next_of(const format::Head& before, const HostKey& key, const std::string& what) {
  auto next = before;
  const auto& last = before.generation;
  next.generation = {Sequence(last.seq.value + 1), GenerationId(Uuid::random()), last.id,
                     key.public_key().host_id(),   "the next computer",          last.time};
  next.checked_out.reset();
  next.history = {{next.generation, what}};
  return next;
}

void add_layers(format::CapsuleDirectory& capsule, format::Head& head) {
  const std::string text = "what was done here";
  for (auto& disk : head.disks) {
    const auto path =
        disk.target + "/layer-" + std::to_string(head.generation.seq.value) + ".qcow2";
    auto layer = capsule.create_object(path);
    layer.write(std::as_bytes(std::span(text)));
    head.objects.push_back(layer.finish());
    disk.chain.push_back(path);
  }
  std::ranges::sort(head.objects, {}, &format::Object::path);
}

void go_on(int root, CapsuleId id, const HostKey& key) {
  for (const auto* what : {"check out", "eject"}) {
    auto capsule = format::CapsuleDirectory::open(root, id);
    const auto seen = capsule.examine();
    if (!seen.newest) return;
    auto next = next_of(seen.newest->head, key, what);
    if (what == std::string("eject")) add_layers(capsule, next);
    capsule.commit(next, key);
    capsule.sweep();
  }
}

enum class Deed { look, go_on };

json look_at(const std::string& place, Deed deed, const HostKey& key) {
  json out{{"capsules", json::array()}};
  try {
    const UniqueFd root(::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root) throw fault_from_errno(errno, "open", place);
    for (const auto id : format::CapsuleDirectory::list(root.get())) {
      if (deed == Deed::go_on) go_on(root.get(), id, key);
      out["capsules"].push_back(look_at(root.get(), id));
    }
  } catch (const std::exception& error) {
    out["trouble"] = error.what();
  }
  return out;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const auto key = HostKey::load_or_create(arguments[1]);
  const std::string look = "look ";
  const std::string going_on = "go on ";
  for (std::string line; std::getline(std::cin, line);) {
    const auto deed = line.starts_with(look) ? Deed::look : Deed::go_on;
    const auto place = line.substr((deed == Deed::look ? look : going_on).size());
    std::cout << look_at(place, deed, key).dump() << std::endl;
  }
}
