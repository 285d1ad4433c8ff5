#include "format/verify_world.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <stdexcept>

namespace satchel::format {

namespace fs = std::filesystem;

VerifyWorld::VerifyWorld() {
  auto capsule = CapsuleDirectory::create(stick.fd(), id);
  const auto first = commit(capsule, {}, "pack");
  second = commit(capsule, first, "eject");
  third = commit(capsule, second, "eject");
  capsule.sweep();
  capsule.append_log("generation 3");
}

std::vector<std::string> VerifyWorld::files() const {
  std::vector<std::string> out;
  for (const auto& each : fs::recursive_directory_iterator(folder))
    if (each.is_regular_file() && each.path().filename() != "log")
      out.push_back(fs::relative(each.path(), folder).string());
  std::ranges::sort(out);
  return out;
}

std::vector<Sequence> VerifyWorld::needed_by(const std::string& path) const {
  if (path == "slots/0" || path == "heads/3.json") return {Sequence(3)};
  if (path == "slots/1" || path == "heads/2.json") return {Sequence(2)};
  std::vector<Sequence> out;
  for (const auto* head : {&third, &second})
    if (head->head.find(path)) out.push_back(head->head.generation.seq);
  return out;
}

SignedHead VerifyWorld::commit(CapsuleDirectory& capsule, const std::optional<SignedHead>& parent,
                               const std::string& what,
                               const std::function<void(std::vector<Object>&)>& edit) const {
  Head head = next_head(id, parent);
  const auto seq = std::to_string(head.generation.seq.value);
  std::vector<Object> objects;
  if (parent) {
    head.history = parent->head.history;
    for (const auto& each : parent->head.objects)
      if (each.path.starts_with("vda/")) objects.push_back(each);
  } else {
    objects.push_back(put(capsule, "vda/image.qcow2", std::string(70'000, 'i')));
    objects.push_back(put(capsule, "vda/cow.qcow2", std::string(5'000, 'c')));
  }
  objects.push_back(put(capsule, "vda/layer-" + seq + ".qcow2", "layer " + seq));
  objects.push_back(put(capsule, "memory/" + seq + ".pages", std::string(200'001, 'p') + seq));
  objects.push_back(put(capsule, "memory/" + seq + ".map", "map " + seq));
  objects.push_back(put(capsule, "state/" + seq + ".nvram", "nvram " + seq));
  if (edit) edit(objects);
  fill(head, std::move(objects));
  std::ranges::sort(head.disks.at(0).chain, {}, [](const std::string& path) {
    return std::pair(path.ends_with("image.qcow2") ? 0 : path.ends_with("cow.qcow2") ? 1 : 2, path);
  });
  head.history.push_back({head.generation, what});
  return capsule.commit(head, host_key());
}

Flaw only_flaw(const Verification& found) {
  for (const auto& each : found.flaws) UNSCOPED_INFO(each.sentence());
  REQUIRE(found.flaws.size() == 1);
  return found.flaws.front();
}

void expect_named(const VerifyWorld& world, const Verification& found, const std::string& path) {
  const auto flaw = only_flaw(found);
  CHECK(flaw.path == path);
  CHECK(flaw.generations == world.needed_by(path));
  CHECK(flaw.kind == Flaw::Kind::damaged);
  REQUIRE(found.kept.size() == 2);
  for (const auto& each : found.kept) {
    const auto needs = std::ranges::find(flaw.generations, each.seq) != flaw.generations.end();
    CHECK((each.verdict == Verification::Kept::Verdict::flawed) == needs);
  }
}

Fault fault_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Fault& fault) {
    return fault;
  }
  FAIL("nothing was refused");
  throw std::logic_error("not reached");
}

void flip(const fs::path& file, std::size_t byte, int bit) {
  auto bytes = contents(file);
  REQUIRE(byte < bytes.size());
  bytes[byte] = static_cast<char>(bytes[byte] ^ (1 << bit));
  overwrite(file, bytes);
}

}  // namespace satchel::format
