// Reads devices as the product does, for tests/powercut. For each line of input one line of JSON:
//   look ROOT   every generation that the slots of a mounted device offer, and whether each of its
//               objects is bit for bit what its head says
//   go on ROOT  the same after two more generations were committed there, each swept behind: a
//               check-out, and one with a new layer on each disk
// and, as nobody else does it in a small computer (small.py):
//   mount TYPE OPTIONS NODE PLACE
//   unmount PLACE
//   fetch FILE         after a line with its size, its bytes
//   commit PLACE JSON  see library_day.hpp
// Its only argument is the file of the key that signs these.
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <exception>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "base/fault.hpp"
#include "format/capsule_directory.hpp"
#include "library_day.hpp"

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

json trouble_unless(bool done) {
  if (done) return json::object();
  return {{"trouble", std::strerror(errno)}};
}

json mounted(std::istream& words) {
  std::string type;
  std::string options;
  std::string node;
  std::string place;
  words >> type >> options >> node >> place;
  return trouble_unless(::mount(node.c_str(), place.c_str(), type.c_str(), MS_NOSUID | MS_NODEV,
                                options.c_str()) == 0);
}

/// Answers with the size and, behind the line, these bytes.
void fetch(const std::string& path) {
  std::ostringstream all;
  if (std::ifstream file(path, std::ios::binary); file) all << file.rdbuf();
  const auto bytes = all.str();
  std::cout << json{{"size", bytes.size()}}.dump() << '\n' << bytes << std::flush;
}

json commit_or_trouble(const std::string& place, const std::string& wish, const HostKey& key) {
  try {
    return commit_as_told(place, json::parse(wish), key);
  } catch (const std::exception& error) {
    return {{"trouble", error.what()}};
  }
}

void answer(const std::string& line, const HostKey& key) {
  std::istringstream words(line);
  std::string what;
  words >> what;
  const auto rest = [&words] {
    std::string text;
    std::getline(words >> std::ws, text);
    return text;
  };
  if (what == "fetch") return fetch(rest());
  json out;
  if (what == "look") out = look_at(rest(), Deed::look, key);
  if (what == "go") {
    words >> what;  // "on"
    out = look_at(rest(), Deed::go_on, key);
  }
  if (what == "mount") out = mounted(words);
  if (what == "commit") {
    words >> what;
    out = commit_or_trouble(what, rest(), key);
  }
  if (what == "unmount") out = trouble_unless(::umount(rest().c_str()) == 0);
  std::cout << out.dump() << std::endl;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const auto key = HostKey::load_or_create(arguments[1]);
  for (std::string line; std::getline(std::cin, line);) answer(line, key);
}
