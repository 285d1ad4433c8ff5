// Reads devices as the product does, for tests/powercut: for each line of input, a mounted device's
// root, one line of JSON with every generation that the slots offer and whether each of its objects
// is bit for bit what its head says. Nothing is written.
#include <fcntl.h>
#include <unistd.h>

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

json look_at(const std::string& place) {
  json out{{"capsules", json::array()}};
  try {
    const UniqueFd root(::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root) throw fault_from_errno(errno, "open", place);
    for (const auto id : format::CapsuleDirectory::list(root.get()))
      out["capsules"].push_back(look_at(root.get(), id));
  } catch (const std::exception& error) {
    out["trouble"] = error.what();
  }
  return out;
}

}  // namespace

int main() {
  for (std::string place; std::getline(std::cin, place);)
    std::cout << look_at(place).dump() << std::endl;
}
