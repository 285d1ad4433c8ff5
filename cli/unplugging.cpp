#include "unplugging.hpp"

#include <algorithm>
#include <chrono>

namespace satchel::cli {

using namespace std::chrono_literals;

bool Unplugging::allowed(const HostView& host) const {
  if (const auto* still = device_of(host, device)) return still->can_unplug;
  return std::all_of(host.capsules.begin(), host.capsules.end(), [&](const auto& capsule) {
    return capsules.count(capsule.id) == 0 || capsule.can_unplug;
  });
}

std::string Unplugging::in_use_by(const HostView& host) const {
  const auto* still = device_of(host, device);
  if (still == nullptr) return {};
  std::string out = still->detail.empty() ? "" : " " + printable(still->detail);
  for (const auto& each : host.capsules)
    if (each.device == device && !each.can_unplug)
      out += " '" + printable(each.name) + "' is " + each.state + " there.";
  return out;
}

Unplugging unplugging(const HostView& host, std::optional<DeviceNumber> device) {
  Unplugging out;
  out.device = device;
  for (const auto& capsule : host.capsules)
    if (device && capsule.device == device) out.capsules.insert(capsule.id);
  return out;
}

Task<Verdict> verdict_on(Context& context, Unplugging what) {
  const auto deadline = std::chrono::steady_clock::now() + 2s;
  for (;;) {
    const auto seen = context.client.news();
    auto asking = context.client.overview();
    const auto host = co_await std::move(asking);
    if (what.allowed(host)) co_return Verdict{true, "You can unplug the device now."};
    if (std::chrono::steady_clock::now() >= deadline)
      co_return Verdict{false,
                        "The device is still in use: do not unplug it yet." + what.in_use_by(host)};
    auto waiting = context.client.wait_for_news(seen, 200ms);
    co_await std::move(waiting);
  }
}

}  // namespace satchel::cli
