// The hosts that this one has met on devices, by the cards that they left there, and its own card.
// Kept in the state directory; only a new machine's processor and type depend on them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "format/host_card.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"

namespace satchel {

/// What this host can run, asked of libvirt. Loop thread.
Task<format::HostCard> own_card(Parts& parts);

/// Leaves ours on the stick and notes those that others left there. Whatever goes wrong is logged:
/// no job depends on it. Loop thread.
Task<void> exchange_cards(Parts& parts, std::shared_ptr<Stick> stick);

/// Notes the cards of others on the stick. Files lane.
void note_hosts(const Parts& parts, const Stick& stick);
/// All that were noted. Files lane.
std::vector<format::HostCard> known_hosts(const Parts& parts);

/// What new machines get, so that all known hosts of this accelerator run them.
struct SharedAbility {
  std::string machine_type;
  machine::Cpu cpu;
  std::vector<std::string> notes;  ///< sentences: with whom it is shared, or why not
};
Task<SharedAbility> shared_ability(Parts& parts);

}  // namespace satchel
