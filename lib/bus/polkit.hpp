// Asks polkit who may do what. Owned by the composition root; loop thread only.
#pragma once

#include <map>
#include <string>

#include "bus/bus.hpp"
#include "ports/authority.hpp"

namespace satchel {

/// The polkit action of config/polkit/org.satchel.policy: "org.satchel.eject".
std::string polkit_action(Action action);

/// What polkit's agents show and its rules may look at: "polkit.message", and "machine" and
/// "device" where they are known. What a stick or an asker said of itself is one short line in
/// there.
std::map<std::string, std::string> polkit_details(const Undertaking& wanted);

/// Root may do everything without polkit being asked. Everybody else: what polkit says, and
/// nothing while there is no polkit. Throws BusError when polkit is there but fails to answer.
class PolkitAuthority : public Authority {
 public:
  explicit PolkitAuthority(Bus& bus) : bus_(bus) {}
  Task<bool> allows(std::string client, Undertaking wanted, Interaction interaction) override;
  Task<bool> is_there() override;

 private:
  Task<bool> is_root(std::string client);
  Task<bool> polkit_allows(std::string client, Undertaking wanted, Interaction interaction);

  Bus& bus_;
};

}  // namespace satchel
