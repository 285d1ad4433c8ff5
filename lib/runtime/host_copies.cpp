// Two devices that hold the same capsule, one a copy of the other, plugged in at once: the
// capsule's runner has one of them, and hears nothing of the other before that one is gone.
#include "core/describe.hpp"
#include "runtime/host.hpp"
#include "runtime/sentences.hpp"

namespace satchel {

void Host::capsule_seen(core::Insertion insertion, CapsuleId capsule) {
  runner(capsule)->deliver(core::DeviceAppeared{insertion});
  const auto used = core::device_of(runner(capsule)->state());
  if (!used || *used == insertion) return;
  parts_.log.warning(devices_.node_of(insertion) + ": " +
                     second_copy_sentence(runner(capsule)->name(), devices_.node_of(*used)));
}

void Host::look_at_copies() {
  for (const auto& [id, capsule] : capsules_) {
    if (core::device_of(capsule->state())) continue;
    const auto copies = devices_.holding(id);
    if (!copies.empty()) capsule->deliver(core::DeviceAppeared{copies.front()});
  }
}

std::string Host::said_of(core::Insertion insertion) const {
  std::string out;
  for (const auto& [id, capsule] : capsules_) {
    const auto used = core::device_of(capsule->state());
    if (!used || *used == insertion) continue;
    for (const auto& copy : devices_.holding(id))
      if (copy == insertion)
        out += (out.empty() ? "" : " ") +
               second_copy_sentence(capsule->name(), devices_.node_of(*used));
  }
  return out;
}

}  // namespace satchel
