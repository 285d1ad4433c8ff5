#include "runtime/session_guest.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "runtime/last_write.hpp"

namespace satchel {

namespace {

core::Guest guest_in(const Session& session, const std::optional<DomainEntry>& guest) {
  const auto when_gone = [&] {
    if (session.phase == Phase::launching) return core::Guest::unborn;
    return session.save_image ? core::Guest::saved : core::Guest::off;
  };
  if (!guest) return when_gone();
  switch (guest->state) {
    case GuestState::running:
      return core::Guest::runs;
    case GuestState::paused:
      return session.phase == Phase::launching ? core::Guest::unborn : core::Guest::paused;
    case GuestState::paused_by_io_error:
      return core::Guest::halted;
    case GuestState::shut_off:
    case GuestState::crashed:
      return when_gone();
  }
  return when_gone();
}

/// Of a live description: none of the session's overlays is in it. A guest always writes to one of
/// them, whatever became of those below it.
bool is_strange(const Session& session, const std::string& live) {
  if (session.disks.empty() || live.empty()) return false;
  return std::ranges::none_of(session.disks, [&](const DiskOverlay& disk) {
    return std::ranges::any_of(disk.overlays(), [&](const std::string& overlay) {
      return live.find(overlay) != std::string::npos;
    });
  });
}

struct Seen {
  std::optional<DomainEntry> guest;
  bool is_stranger = false;
};

Task<Seen> look(Parts& parts, Session session) {
  auto finding = parts.hypervisor.find(session.domain);
  Seen seen;
  seen.guest = co_await std::move(finding);
  if (seen.guest && seen.guest->has_saved_memory) {
    auto reading = parts.hypervisor.saved_description(session.domain);
    const auto saved = co_await std::move(reading);
    // That of another machine under its identity is not the session's.
    seen.guest->has_saved_memory = !saved.empty() && !is_strange(session, saved);
  }
  if (!is_alive(seen.guest)) co_return seen;
  auto describing = parts.hypervisor.describe(session.domain.value.str());
  const auto domain = co_await std::move(describing);
  seen.is_stranger = domain && is_strange(session, domain->live);
  co_return seen;
}

}  // namespace

bool is_alive(const std::optional<DomainEntry>& guest) {
  return guest && (guest->state == GuestState::running || guest->state == GuestState::paused ||
                   guest->state == GuestState::paused_by_io_error);
}

Task<std::optional<DomainEntry>> find_guest(Parts& parts, Session session) {
  auto looking = look(parts, std::move(session));
  auto seen = co_await std::move(looking);
  if (seen.is_stranger) co_return std::nullopt;
  co_return std::move(seen.guest);
}

Task<void> refuse_stranger(Parts& parts, Session session, std::string doing) {
  auto looking = look(parts, session);
  const auto seen = co_await std::move(looking);
  if (!seen.is_stranger) co_return;
  throw Fault(Remedy::fix_request,
              Fault::Text{std::move(doing), session.capsule_name,
                          "the machine that it was packed from runs here on its own disks, as "
                          "libvirt domain " +
                              seen.guest->name,
                          "Shut that one down first, then launch this one again."});
}

Fault memory_kept(std::string doing, std::string name, const DomainEntry& guest, WhoStarts who) {
  const auto start =
      who == WhoStarts::us ? "Launch it" : "Start it (virsh start " + guest.name + ")";
  return Fault(
      Remedy::fix_request,
      Fault::Text{std::move(doing), std::move(name),
                  "libvirt keeps its memory (virsh managedsave), which would be left behind",
                  start +
                      ", so that it goes on from there, or give that memory up: virsh "
                      "managedsave-remove " +
                      guest.name});
}

Task<void> end_if_alive(Parts& parts, Session session) {
  auto finding = find_guest(parts, session);
  const auto guest = co_await std::move(finding);
  if (!is_alive(guest)) co_return;
  std::exception_ptr failure;
  try {
    auto ending = parts.hypervisor.destroy(session.domain);
    co_await std::move(ending);
  } catch (const Fault&) {
    failure = std::current_exception();
  }
  if (!failure) co_return;
  // It may have ended by itself just then, as one does whose restore has lost its reader.
  auto looking = find_guest(parts, std::move(session));
  const auto left = co_await std::move(looking);
  if (is_alive(left)) std::rethrow_exception(failure);
}

core::Session core_session(const Session& session, const std::optional<DomainEntry>& guest) {
  core::Session out;
  out.id = session.session;
  out.base = session.base;
  out.committing = session.committing;
  if (session.committing && session.phase != Phase::ejecting)
    out.since_commit = core::Since::ran_on;
  out.domain = session.domain;
  out.on_copies = session.on_copies;
  out.guest = guest_in(session, guest);
  return out;
}

Task<core::Session> core_session_now(Parts& parts, Session session) {
  auto finding = find_guest(parts, session);
  const auto guest = co_await std::move(finding);
  auto out = core_session(session, guest);
  if (!is_alive(guest) && session.phase == Phase::ejecting) {
    if (guest && guest->has_saved_memory) out.since_commit = core::Since::ran_on;
    auto looking =
        offload(parts.lanes.files, [&session] { return has_written_since_commit(session); });
    if (co_await std::move(looking)) out.since_commit = core::Since::ran_on;
  }
  co_return out;
}

}  // namespace satchel
