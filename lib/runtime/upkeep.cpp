#include "runtime/upkeep.hpp"

#include <algorithm>

#include "runtime/heads.hpp"
#include "runtime/older.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace {

ByteCount size_of(const format::Head& head, const std::string& path) {
  const auto* object = head.find(path);
  return object == nullptr ? ByteCount() : object->size;
}

const CapsuleSettings* settings_of(const Config& config, CapsuleId capsule) {
  const auto found = config.capsules.find(capsule);
  return found == config.capsules.end() ? nullptr : &found->second;
}

bool has_used_cow(const format::Head& head) {
  return std::any_of(head.disks.begin(), head.disks.end(), [&](const auto& disk) {
    const auto* cow = disk.chain.size() > 1 ? head.find(disk.chain[1]) : nullptr;
    return cow != nullptr && is_used(*cow);
  });
}

/// Of the layers, those that can be merged while the older generations stay as they are.
DiskSizes mergeable(const format::Head& head, const std::vector<format::Head>& kept) {
  format::Head part = head;
  for (auto& disk : part.disks)
    if (disk.chain.size() > 2) disk.chain.resize(top_hidden(kept, disk) + 1);
  return sizes_of(part);
}

}  // namespace

DiskSizes sizes_of(const format::Head& head) {
  DiskSizes out;
  for (const auto& disk : head.disks) {
    for (std::size_t i = 0; i < disk.chain.size(); ++i) {
      auto& sum = i == 0 ? out.images : i == 1 ? out.cows : out.layers;
      sum = sum + size_of(head, disk.chain[i]);
    }
    if (disk.chain.size() > 2) out.most_layers = std::max(out.most_layers, disk.chain.size() - 2);
  }
  return out;
}

std::optional<ByteCount> cow_limit(const Config& config, const format::Head& head) {
  const auto* own = settings_of(config, head.capsule);
  const auto limit = own != nullptr && own->cow_limit ? *own->cow_limit : config.fold.cow_limit;
  if (limit.amount == 0) return std::nullopt;
  if (limit.of == CowLimit::Of::bytes) return ByteCount(limit.amount);
  return ByteCount(sizes_of(head).images.value / 100 * limit.amount);
}

Home home_of(const Parts& parts, const format::Head& head) {
  const auto* own = settings_of(parts.config, head.capsule);
  if (own != nullptr && own->home) return *own->home;
  if (!head.history.empty()) {
    const auto& first = head.history.front().generation;
    if (first.seq == Sequence(1))
      return first.host == parts.key.public_key().host_id() ? Home::yes : Home::no;
  }
  return was_packed_here(parts, head.capsule) ? Home::yes : Home::no;
}

bool may_enlarge(const Volume& volume) { return volume.fs_type != "exfat"; }

std::vector<core::Upkeep> upkeep_due(const Config& config, const format::Head& head,
                                     const std::vector<format::Head>& older, Home home) {
  const auto sizes = sizes_of(head);
  const auto layers = mergeable(head, kept_among(older, head, config.generations.keep));
  std::vector<core::Upkeep> due;
  const auto& merge = config.merge;
  const bool many = merge.layers > 0 && layers.most_layers > merge.layers;
  const bool large = merge.size.value > 0 && layers.most_layers > 0 && layers.layers > merge.size;
  if (many || large) due.push_back(core::Upkeep::merge);
  const auto limit = cow_limit(config, head);
  if (home == Home::yes && limit && sizes.cows > *limit && has_used_cow(head))
    due.push_back(core::Upkeep::fold);
  return due;
}

bool sync_due(const Parts& parts, const format::Head& newest) {
  const auto* own = settings_of(parts.config, newest.capsule);
  if (own == nullptr || own->sync.empty()) return false;
  const auto* last = parts.syncs->last(newest.capsule);
  if (last == nullptr || last->outcome != SyncRecord::Outcome::complete) return true;
  if (last->generation_id == newest.generation.id) return false;
  bool known = false;
  for (const auto& past : newest.history) {
    if (past.generation.id == last->generation_id)
      known = true;
    else if (known && !keeps_content(past.what))
      return true;
  }
  return !known;
}

bool is_used(const format::Object& cow) { return cow.size.value > (4U << 16); }

}  // namespace satchel
