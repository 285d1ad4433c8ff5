#include "core/react.hpp"

#include <type_traits>
#include <utility>

#include "core/describe.hpp"
#include "core/transitions.hpp"

namespace satchel::core {

namespace {

Guest guest_after(const GuestStopped&) { return Guest::off; }
Guest guest_after(const GuestPaused& paused) {
  return paused.why == GuestPause::by_error ? Guest::halted : Guest::paused;
}
Guest guest_after(const GuestResumed&) { return Guest::runs; }

// While a job pauses, saves or restores the guest, its own end says what became of it.
Session* observed_session(State& state) {
  if (auto* at = std::get_if<Examining>(&state)) return at->ours ? &*at->ours : nullptr;
  if (auto* at = std::get_if<Locked>(&state)) return at->ours ? &*at->ours : nullptr;
  if (auto* at = std::get_if<Untrusted>(&state)) return at->ours ? &*at->ours : nullptr;
  if (auto* at = std::get_if<Failed>(&state)) return at->ours ? &*at->ours : nullptr;
  if (auto* at = std::get_if<Ejecting>(&state))
    return at->apart && at->session ? &*at->session : nullptr;
  if (auto* at = std::get_if<Checkpointing>(&state)) return &at->session;
  if (auto* at = std::get_if<Tending>(&state)) return at->session ? &*at->session : nullptr;
  if (auto* at = std::get_if<Stranded>(&state)) return job_of(*at) ? nullptr : &at->session;
  if (auto* at = std::get_if<Diverged>(&state)) return at->resolving ? nullptr : &at->ours;
  return nullptr;
}

/// Whether the session's device is the one that its guest's files are on.
bool has_its_device(const State& state) {
  return std::visit(
      [](const auto& at) {
        using S = std::decay_t<decltype(at)>;
        if constexpr (std::is_same_v<S, Checkpointing> || std::is_same_v<S, Tending>)
          return at.work.now == at.work.on;
        else
          return false;
      },
      state);
}

template <class E>
Step note_guest(const State& state, const E& event) {
  auto next = state;
  auto* session = observed_session(next);
  // A save image or a journal without a guest says more than a late report about its process.
  if (session == nullptr || !is_alive(session->guest)) return std::nullopt;
  const auto before = *session;
  session->guest = guest_after(event);
  if (session->guest == Guest::runs) *session = seen_running(before);
  // One that stands still without its device's files gets them by a reattach alone, whatever late
  // news there are of it.
  const bool lacks_files = before.guest == Guest::halted && !has_its_device(state);
  if (lacks_files || std::holds_alternative<Stranded>(next)) *session = without_files(*session);
  if (*session == before) return std::nullopt;
  return Transition{std::move(next), {}};
}

}  // namespace

std::optional<Transition> react(const State& state, const Event& event, JobId next,
                                const Policy& policy) {
  const Given given{next, policy};
  return std::visit(
      [&](const auto& at, const auto& what) -> Step {
        using E = std::decay_t<decltype(what)>;
        auto step = on(at, what, given);
        if constexpr (std::is_same_v<E, GuestStopped> || std::is_same_v<E, GuestPaused> ||
                      std::is_same_v<E, GuestResumed>) {
          if (!step && !std::holds_alternative<Running>(state)) return note_guest(state, what);
        }
        return step;
      },
      state, event);
}

bool is_asked(const Event& event) {
  return std::holds_alternative<UnlockGiven>(event) || std::holds_alternative<TrustGiven>(event) ||
         std::holds_alternative<LaunchAsked>(event) || std::holds_alternative<EjectAsked>(event) ||
         std::holds_alternative<CheckpointAsked>(event) ||
         std::holds_alternative<UpkeepAsked>(event) ||
         std::holds_alternative<RollbackAsked>(event) ||
         std::holds_alternative<CancelAsked>(event) || std::holds_alternative<ChoiceMade>(event);
}

}  // namespace satchel::core
