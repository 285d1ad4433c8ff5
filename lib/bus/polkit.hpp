// Asks polkit who may do what. Owned by the composition root; loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

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
  /// Told of each undertaking that was allowed, and of the user who asked for it; may be empty.
  using Allowed = std::function<void(std::uint32_t user, const Undertaking& wanted)>;
  explicit PolkitAuthority(Bus& bus, Allowed allowed = {})
      : bus_(bus), allowed_(std::move(allowed)) {}
  Task<bool> allows(std::string client, Undertaking wanted, Interaction interaction) override;
  Task<bool> is_there() override;

 private:
  Task<std::uint32_t> user_of(std::string client);
  Task<bool> polkit_allows(std::string client, Undertaking wanted, Interaction interaction);

  Bus& bus_;
  Allowed allowed_;
};

}  // namespace satchel
