#include "runtime/jobs/check_out.hpp"

#include "runtime/heads.hpp"

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
