// Asks polkit who may do what. Owned by the composition root; loop thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
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
/// nothing while there is no polkit. Throws BusError when polkit is there but fails to answer, and
/// Fault with Remedy::retry when too many questions to people are open: the bus lets one connection
/// wait for no more than 128 answers in all.
class PolkitAuthority : public Authority {
 public:
  enum class Answer { allowed, refused };
  /// Told of each undertaking that was allowed, and of the user who asked for it; of what a user
  /// was refused once a minute. May be empty.
  using Listener =
      std::function<void(std::uint32_t user, const Undertaking& wanted, Answer answer)>;
  explicit PolkitAuthority(Bus& bus, Listener listener = {})
      : bus_(bus), listener_(std::move(listener)) {}
  Task<bool> allows(std::string client, Undertaking wanted, Interaction interaction) override;
  Task<bool> is_there() override;

 private:
  Task<std::uint32_t> user_of(std::string client);
  Task<bool> polkit_allows(std::string client, Undertaking wanted, Interaction interaction);

  void tell(std::uint32_t user, const Undertaking& wanted, Answer answer);

  using Questions = std::map<std::uint32_t, std::size_t>;  ///< how many of each user are open
  class Question;

  Bus& bus_;
  Listener listener_;
  std::shared_ptr<Questions> questions_ = std::make_shared<Questions>();
  std::map<std::uint32_t, std::chrono::steady_clock::time_point> refused_;  ///< when, last told
};

}  // namespace satchel
