// Why what was asked for is not possible now, and what is.

#include "core/describe.hpp"
#include "core/react.hpp"

namespace satchel::core {

namespace {

std::string_view verb(const Event& event) {
  if (std::holds_alternative<UnlockGiven>(event)) return "Unlocking";
  if (std::holds_alternative<TrustGiven>(event)) return "Trusting";
  if (std::holds_alternative<LaunchAsked>(event)) return "Launching";
  if (std::holds_alternative<EjectAsked>(event)) return "Ejecting";
  if (std::holds_alternative<CheckpointAsked>(event)) return "A checkpoint";
  if (std::holds_alternative<CancelAsked>(event)) return "Cancelling";
  return "This choice";
}

Reason plainly(const State& state, const Event& event) {
  return {std::string(verb(event)) + " is not possible now. " + detail(state), next_step(state)};
}

Reason launch(const State& state, const Event& event) {
  if (const auto* at = std::get_if<Running>(&state); at && at->session.guest == Guest::runs)
    return {"The machine runs on this computer already.", {}};
  if (std::holds_alternative<Launching>(state))
    return {"The machine is being launched already.", {}};
  if (std::holds_alternative<Checkpointing>(state))
    return {"The machine runs on this computer already.", {}};
  if (std::holds_alternative<Safe>(state))
    return {"The device was released.", "Pull it out and plug it in again."};
  return plainly(state, event);
}

Reason eject(const State& state, const Event& event) {
  if (std::holds_alternative<Absent>(state))
    return {"The device is not plugged in.", "Plug the device in."};
  if (std::holds_alternative<Safe>(state))
    return {"The device was released already.", "Pull it out."};
  return plainly(state, event);
}

Reason checkpoint(const State& state, const Event& event) {
  if (std::holds_alternative<Running>(state))
    return {"A checkpoint needs a machine that runs. " + detail(state), next_step(state)};
  return plainly(state, event);
}

}  // namespace

Reason refusal(const State& state, const Event& event) {
  if (!is_asked(event)) return {};
  if (std::holds_alternative<LaunchAsked>(event)) return launch(state, event);
  if (std::holds_alternative<EjectAsked>(event)) return eject(state, event);
  if (std::holds_alternative<CheckpointAsked>(event)) return checkpoint(state, event);
  if (std::holds_alternative<CancelAsked>(event) && !job_of(state))
    return {"Nothing is under way that could be cancelled.", {}};
  if (std::holds_alternative<ChoiceMade>(event) && !std::holds_alternative<Diverged>(state))
    return {"There is nothing to choose now. " + detail(state), next_step(state)};
  return plainly(state, event);
}

}  // namespace satchel::core
