// What is known of the devices that are in this host's ports.
#include <algorithm>

#include "runtime/devices.hpp"

namespace satchel {

std::shared_ptr<Stick> Devices::stick(core::Insertion insertion) const {
  const auto* entry = find(insertion);
  return entry == nullptr ? nullptr : entry->stick;
}

std::optional<core::Insertion> Devices::insertion_of(DeviceNumber number) const {
  const core::Insertion insertion(number.value);
  if (find(insertion) == nullptr) return std::nullopt;
  return insertion;
}

std::optional<core::Insertion> Devices::same_insertion(const std::string& fs_uuid,
                                                       std::uint64_t disk_sequence) const {
  for (const auto& [insertion, entry] : entries_)
    if (entry.plug.fs_uuid == fs_uuid && entry.plug.disk_sequence == disk_sequence)
      return insertion;
  return std::nullopt;
}

std::optional<DeviceNumber> Devices::number_of(core::Insertion insertion) const {
  const auto* entry = find(insertion);
  if (entry == nullptr) return std::nullopt;
  return entry->view.number;
}

std::string Devices::node_of(core::Insertion insertion) const {
  const auto* entry = find(insertion);
  return entry == nullptr ? std::string() : entry->view.node;
}

std::vector<core::Insertion> Devices::holding(CapsuleId capsule) const {
  std::vector<core::Insertion> out;
  for (const auto& [insertion, entry] : entries_)
    if (entry.stick && entry.stick->is_open() &&
        std::find(entry.capsules.begin(), entry.capsules.end(), capsule) != entry.capsules.end())
      out.push_back(insertion);
  return out;
}

void Devices::forget(core::Insertion insertion, CapsuleId capsule) {
  if (auto* entry = find(insertion)) std::erase(entry->capsules, capsule);
}

Devices::Entry* Devices::find(core::Insertion insertion) {
  const auto found = entries_.find(insertion);
  return found == entries_.end() ? nullptr : &found->second;
}

const Devices::Entry* Devices::find(core::Insertion insertion) const {
  const auto found = entries_.find(insertion);
  return found == entries_.end() ? nullptr : &found->second;
}

std::optional<core::Insertion> Devices::at(const std::string& node) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const auto& each) { return each.second.plug.node == node; });
  if (found == entries_.end()) return std::nullopt;
  return found->first;
}

}  // namespace satchel
