#include "runtime/jobs/check_out.hpp"

#include <string>
#include <utility>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "runtime/heads.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

format::SignedHead check_out(const Parts& parts, format::CapsuleDirectory& capsule,
                             const format::Head& newest, Session& session) {
  auto next = next_head(newest, author(parts), what::check_out);
  next.checked_out = format::CheckedOut{parts.key.public_key().host_id(), parts.host_name,
                                        session.session, parts.now()};
  auto committed = capsule.commit(next, parts.key);
  session.base = committed.head.generation.id;
  session.base_sequence = committed.head.generation.seq;
  return committed;
}

std::optional<format::SignedHead> check_out_again(const Parts& parts,
                                                  format::CapsuleDirectory& capsule,
                                                  const format::Head& newest, Session& session) {
  if (newest.checked_out || !is_of_session(newest, session)) return std::nullopt;
  auto committed = check_out(parts, capsule, newest, session);
  follow(session, committed.head);
  return committed;
}

Task<std::optional<CheckedOutAgain>> check_out_again(Parts& parts, std::shared_ptr<Stick> stick,
                                                     core::Session known, core::Found found,
                                                     Session session) {
  std::optional<CheckedOutAgain> out;
  if (!core::is_unmarked(known, found)) co_return out;
  const auto name = session.capsule_name;
  std::optional<Fault> failure;
  try {
    auto marking = offload(parts.lanes.files, [&] {
      auto capsule = format::CapsuleDirectory::open(stick->root()->get(), session.capsule);
      const auto seen = capsule.examine();
      if (!seen.newest) return;
      auto head = check_out_again(parts, capsule, seen.newest->head, session);
      if (!head) return;
      parts.shelf.save(session);
      out.emplace(CheckedOutAgain{std::move(*head), session});
    });
    co_await std::move(marking);
    if (out)
      parts.log.info(name + " goes on after an eject that was cut short: its device says so");
    co_return out;
  } catch (const Fault& fault) {
    failure = fault;
  }
  // What waits for its device can wait until that is written to; a guest that lives can't.
  if (known.guest != core::Guest::runs && known.guest != core::Guest::paused) throw *failure;
  parts.log.warning(std::string(failure->what()) + "; " + name +
                    " goes on here, and its device says that it does not");
  co_return std::nullopt;
}

void check_back_in(const Parts& parts, const Stick& stick, const Session& session,
                   const std::optional<format::CheckedOut>& mark_before) {
  auto capsule = format::CapsuleDirectory::open(stick.root()->get(), session.capsule);
  const auto seen = capsule.examine();
  if (!seen.newest || !seen.newest->head.checked_out ||
      seen.newest->head.checked_out->session != session.session)
    return;
  auto next = next_head(seen.newest->head, author(parts), what::launch_undone);
  next.checked_out = mark_before;
  capsule.commit(next, parts.key);
}

}  // namespace satchel
