#include "runtime/sentences.hpp"

#include "base/error_name.hpp"

namespace satchel {

std::string status_sentence(const HostView& view) {
  const auto devices = view.devices.size();
  std::string out = devices == 0   ? "No device."
                    : devices == 1 ? "1 device."
                                   : std::to_string(devices) + " devices.";
  for (const auto& capsule : view.capsules) {
    out += " " + capsule.name + ": " + capsule.state;
    for (const auto& job : view.running_jobs)
      if (job.id == capsule.job && !job.step.empty()) out += " (" + job.step + ")";
    out += ".";
  }
  return out;
}

std::string refusal_sentence(const Fault& refusal) {
  auto out = bus_error_message(refusal);
  if (out.starts_with("could")) out.front() = 'C';
  return out;
}

std::string second_copy_sentence(const std::string& capsule, const std::string& used_node) {
  return "It holds a second copy of " + capsule + ", besides " + used_node +
         ", which is the one in use: this one is left alone until that one is pulled out.";
}

std::string in_use_beside_sentence(const std::string& others) {
  return "On the same device and in use: " + others + ".";
}

std::string safe_but_in_use_sentence(const std::string& others) {
  return "All of it is on its device, which is in use for something else: " + others + ".";
}

std::string saving_sentence(const HostView& view) {
  std::string names;
  bool saves = false;
  bool is_to_device = false;
  for (const auto& job : view.running_jobs) {
    if (job.operation != "eject" && job.operation != "checkpoint" && job.operation != "pack" &&
        job.operation != "save")
      continue;
    saves = true;
    if (job.operation != "save") is_to_device = true;
    for (const auto& capsule : view.capsules)
      if (job.capsule == capsule.id) names += (names.empty() ? "" : ", ") + capsule.name;
  }
  if (!saves) return {};
  return "Saving " + (names.empty() ? "a machine" : names) +
         (is_to_device ? " to its device." : " on this computer: its device was pulled out.");
}

}  // namespace satchel
