#include "names.hpp"

#include <vector>

#include "exit_code.hpp"
#include "table.hpp"

namespace satchel::cli {

namespace {

using Capsules = std::vector<const CapsuleView*>;
using Devices = std::vector<const DeviceView*>;

template <class View, class Fits>
std::vector<const View*> all_that(const std::vector<View>& views, Fits fits) {
  std::vector<const View*> out;
  for (const auto& view : views)
    if (fits(view)) out.push_back(&view);
  return out;
}

/// Exact matches; where there are none, those that begin so.
Capsules matching_capsules(const HostView& host, const std::string& word) {
  auto exact = all_that(host.capsules, [&](const CapsuleView& capsule) {
    return capsule.name == word || capsule.id.value.str() == word;
  });
  if (!exact.empty() || word.empty()) return exact;
  return all_that(host.capsules, [&](const CapsuleView& capsule) {
    return capsule.name.starts_with(word) || capsule.id.value.str().starts_with(word);
  });
}

Devices matching_devices(const HostView& host, const std::string& word) {
  if (word.empty()) return {};
  return all_that(host.devices, [&](const DeviceView& device) {
    return device.node == word || device.node == "/dev/" + word || device.label == word ||
           device.mount_point == word || device.mount_point + "/" == word ||
           std::to_string(device.number.value) == word;
  });
}

std::string line(const CapsuleView& capsule) {
  return "\n  " + printable(capsule.name) + "  " + capsule.id.value.str();
}

std::string line(const DeviceView& device) {
  return "\n  " + printable(device.node) + "  " + printable(device.label) + "  " +
         printable(device.mount_point);
}

template <class View>
std::string lines(const std::vector<const View*>& views) {
  std::string out;
  for (const auto* view : views) out += line(*view);
  return out;
}

Refusal unknown(const std::string& kind, const std::string& word) {
  return Refusal(ExitCode::not_found, "There is no " + kind + " '" + printable(word) + "' here.",
                 "'satchelctl status' shows what there is.");
}

Refusal ambiguous(const std::string& word, const std::string& candidates) {
  return Refusal(ExitCode::choice_needed, "'" + printable(word) + "' may be any of:" + candidates,
                 "Name one of them so that no other fits.");
}

}  // namespace

void refuse_while_nothing_works(const HostView& host) {
  if (!host.detail.empty())
    throw Refusal(ExitCode::try_again, printable(host.detail), "See 'satchelctl doctor'.");
}

const CapsuleView& find_capsule(const HostView& host, const std::string& word) {
  refuse_while_nothing_works(host);
  const auto found = matching_capsules(host, word);
  if (found.empty()) throw unknown("capsule", word);
  if (found.size() > 1) throw ambiguous(word, lines(found));
  return *found.front();
}

const DeviceView& find_device(const HostView& host, const std::string& word) {
  refuse_while_nothing_works(host);
  const auto found = matching_devices(host, word);
  if (found.empty() && word.starts_with("/dev/"))
    throw Refusal(ExitCode::not_found,
                  "There is no device '" + printable(word) + "' that Satchel may use.",
                  "It uses filesystems whose label begins with SATCHEL; 'satchelctl status' shows "
                  "those that are here. 'satchelctl format' makes one and destroys what is there.");
  if (found.empty()) throw unknown("device", word);
  if (found.size() > 1) throw ambiguous(word, lines(found));
  return *found.front();
}

const DeviceView& only_device(const HostView& host) {
  refuse_while_nothing_works(host);
  if (host.devices.empty())
    throw Refusal(ExitCode::not_found, "No device is plugged in that Satchel may use.",
                  "Plug one in; 'satchelctl format' prepares a new one.");
  if (host.devices.size() > 1)
    throw Refusal(ExitCode::choice_needed,
                  "There is more than one device:" +
                      lines(all_that(host.devices, [](const auto&) { return true; })),
                  "Name the one that you mean.");
  return host.devices.front();
}

Target find_target(const HostView& host, const std::string& word) {
  refuse_while_nothing_works(host);
  const auto capsules = matching_capsules(host, word);
  const auto devices = matching_devices(host, word);
  if (capsules.size() + devices.size() > 1) throw ambiguous(word, lines(capsules) + lines(devices));
  if (!capsules.empty()) return *capsules.front();
  if (!devices.empty()) return *devices.front();
  throw unknown("capsule or device", word);
}

}  // namespace satchel::cli
