// Devices that do not answer: told while it lasts, from what the kernel counts.
#include <utility>

#include "runtime/devices.hpp"
#include "runtime/sentences.hpp"

namespace satchel {

namespace {

/// Many sticks tidy up for some seconds now and then: 20 of 2 minutes.
bool is_worth_telling(std::chrono::seconds silent, const Config& config) {
  return silent.count() > 0 && silent >= config.device.patience / 6;
}

std::string in_seconds(std::chrono::seconds time) {
  return std::to_string(time.count()) + " seconds";
}

}  // namespace

std::chrono::seconds Devices::look_at_silence(core::Insertion insertion,
                                              std::chrono::steady_clock::time_point now) {
  auto* entry = find(insertion);
  if (entry == nullptr) return {};
  const auto before = entry->silent;
  entry->silent = entry->silence.look(disk::read_activity(entry->plug.sysfs), now);
  const bool is_silent = is_worth_telling(entry->silent, parts_.config);
  if (is_silent == is_worth_telling(before, parts_.config)) return entry->silent;
  if (is_silent)
    parts_.log.warning(entry->plug.node + " has not answered for " + in_seconds(entry->silent) +
                       "; what was begun on it waits");
  else
    parts_.log.info(entry->plug.node + " answers again, after " + in_seconds(before));
  hooks_.changed();
  return entry->silent;
}

void Devices::look_away(core::Insertion insertion) {
  auto* entry = find(insertion);
  if (entry == nullptr) return;
  entry->silence = Silence();
  if (is_worth_telling(std::exchange(entry->silent, {}), parts_.config)) hooks_.changed();
}

std::vector<DeviceView> Devices::views() const {
  std::vector<DeviceView> out;
  for (const auto& [insertion, entry] : entries_) {
    out.push_back(entry.view);
    if (!entry.mounted_beside.empty()) out.back().can_unplug = false;
    if (const auto others = in_use_beside(insertion); !others.empty())
      out.back().detail += (out.back().detail.empty() ? "" : " ") + in_use_beside_sentence(others);
    if (is_worth_telling(entry.silent, parts_.config))
      out.back().detail =
          "It does not answer. Wait, or pull it out: nothing that was told to be on it is lost.";
  }
  return out;
}

}  // namespace satchel
