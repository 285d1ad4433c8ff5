// A drive with several filesystems: what may be pulled is all of it.
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <set>
#include <string>
#include <utility>

#include "runtime/devices.hpp"

namespace satchel {

namespace {

/// UDisks2 is asked only while something else is mounted there.
constexpr auto between_looks = std::chrono::seconds(2);

std::string named(const std::string& node, const std::string& label) {
  return label.empty() ? node : node + " (" + label + ")";
}

}  // namespace

std::string Devices::in_use_beside(core::Insertion insertion) const {
  const auto* entry = find(insertion);
  if (entry == nullptr) return {};
  std::string out;
  const auto add = [&](const std::string& name) { out += (out.empty() ? "" : ", ") + name; };
  for (const auto& [other, beside] : entries_)
    if (other != insertion && !entry->drive.empty() && beside.drive == entry->drive &&
        (hooks_.in_use(other, std::nullopt) || hooks_.busy(other)))
      add(named(beside.view.node, beside.view.label));
  for (const auto& name : entry->mounted_beside) add(name);
  return out;
}

void Devices::share_drives(std::vector<DeviceView>& devices) const {
  std::set<std::string> in_use;
  const auto drive_of = [&](const DeviceView& device) {
    const auto* entry = find(core::Insertion(device.number.value));
    return entry == nullptr ? std::string() : entry->drive;
  };
  for (const auto& device : devices)
    if (!device.can_unplug) in_use.insert(drive_of(device));
  in_use.erase(std::string());
  for (auto& device : devices)
    if (in_use.contains(drive_of(device))) device.can_unplug = false;
}

Task<void> Devices::look_beside(core::Insertion insertion) {
  if (find(insertion) == nullptr) co_return;
  auto listing = parts_.volumes.all();
  const auto volumes = co_await std::move(listing);
  auto* entry = find(insertion);
  if (entry == nullptr) co_return;
  entry->mounted_beside.clear();
  const auto is_open = [&](const std::string& node) {
    const auto known = at(node);
    return known && find(*known)->stick && find(*known)->stick->is_open();
  };
  for (const auto& volume : volumes) {
    // Its own mount counts where it was refused. Let go of, it may be listed a moment longer.
    const bool is_here = volume.node == entry->view.node
                             ? entry->stick == nullptr
                             : !entry->drive.empty() && volume.drive == entry->drive;
    // Of what Satchel has mounted itself the capsules tell.
    if (is_here && !volume.mount_points.empty() && !is_open(volume.node))
      entry->mounted_beside.push_back(named(volume.node, volume.label));
  }
}

Task<void> Devices::let_go_of_drive(core::Insertion insertion, PowerOff power_off) {
  const auto* released = find(insertion);
  if (released == nullptr) co_return;
  const auto node = released->view.node;
  try {
    auto looking = look_beside(insertion);
    co_await std::move(looking);
  } catch (const Fault& failure) {
    parts_.log.warning(std::string(failure.what()) + "; whether more of " + node +
                       "'s device is mounted is not known");
  }
  if (find(insertion) == nullptr) co_return;
  if (const auto others = in_use_beside(insertion); !others.empty()) {
    parts_.log.info(node + " is unmounted; on the same device in use still: " + others);
    if (!find(insertion)->mounted_beside.empty())
      boost::asio::co_spawn(parts_.loop, watch_beside(insertion), boost::asio::detached);
    co_return;
  }
  const auto told = free_line(*find(insertion));
  if (power_off == PowerOff::yes) {
    try {
      auto powering = parts_.volumes.power_off(node);
      co_await std::move(powering);
    } catch (const Fault& refused) {
      parts_.log.warning(std::string(refused.what()) + "; it is unmounted and may be unplugged");
    }
  }
  parts_.log.write(told);
}

/// Machines that are on it say so themselves.
LogLine Devices::free_line(const Entry& entry) {
  const auto level = entry.capsules.empty() ? LogLevel::info : LogLevel::debug;
  return {level, entry.view.node + " may be unplugged", {}, {}};
}

Task<void> Devices::watch_beside(core::Insertion insertion) {
  boost::asio::steady_timer again(parts_.loop);
  for (;;) {
    again.expires_after(between_looks);
    co_await again.async_wait(boost::asio::use_awaitable);
    const auto* entry = find(insertion);
    // It is gone, or mounted anew.
    if (entry == nullptr || entry->mounted_beside.empty()) co_return;
    try {
      auto looking = look_beside(insertion);
      co_await std::move(looking);
    } catch (const std::exception& failure) {
      parts_.log.debug(std::string(failure.what()) + "; what is mounted is taken to be as before");
      continue;
    }
    entry = find(insertion);
    if (entry == nullptr || !entry->mounted_beside.empty()) continue;
    // Mounted by Satchel by now, it tells of itself.
    if (entry->stick && entry->stick->is_open()) co_return;
    if (in_use_beside(insertion).empty()) parts_.log.write(free_line(*entry));
    hooks_.changed();
    co_return;
  }
}

}  // namespace satchel
