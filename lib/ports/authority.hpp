// Who may ask for what; lib/bus has the real one (polkit). Called on the loop thread.
#pragma once

#include <string>

#include "async/lanes.hpp"
#include "base/interaction.hpp"

namespace satchel {

enum class Action { eject, launch, manage, trust };

/// What somebody wants to do. All but the action is for people: for whoever is asked for a
/// password.
struct Undertaking {
  Action action = Action::manage;
  std::string doing;    ///< "eject the machine"
  std::string machine;  ///< its name; empty: none is concerned, or it is not known
  std::string device;   ///< "/dev/sdb1 (SATCHEL)"; empty likewise
};

class Authority {
 public:
  virtual ~Authority() = default;
  /// Whether the bus client (its unique name) may do this. Where interaction is allowed it may ask
  /// the user for a password, so it can take as long as a person does. Without polkit on the bus:
  /// root only.
  virtual Task<bool> allows(std::string client, Undertaking wanted, Interaction interaction) = 0;
  /// Whether anybody but root can be allowed: polkit is on the bus, or would be started.
  virtual Task<bool> is_there() = 0;
};

}  // namespace satchel
