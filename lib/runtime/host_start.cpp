// The service's beginning: what a former daemon left is taken up once libvirt, which alone knows
// what became of its guests, answers.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <string>
#include <utility>

#include "base/fault.hpp"
#include "runtime/host.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

/// libvirt's return is told; this is for one that answers with errors.
constexpr auto pause_between_looks = 30s;

Task<std::optional<Fault>> libvirts_failure(Hypervisor& hypervisor) {
  std::optional<Fault> failure;
  try {
    auto asking = hypervisor.domains();
    (void)co_await std::move(asking);
  } catch (const Fault& fault) {
    failure = fault;
  }
  co_return failure;
}

}  // namespace

void Host::hear_libvirt() {
  parts_.hypervisor.listen([this](const GuestEvent& event) { guest_changed(event); });
  parts_.hypervisor.listen_connection([this](bool up) { connection_changed(up); });
}

Task<bool> Host::has_to_wait() {
  hear_libvirt();
  auto loading = offload(parts_.lanes.files, [this] {
    std::string names;
    for (const auto& session : parts_.shelf.all().sessions)
      names += (names.empty() ? "" : ", ") + session.capsule_name;
    return names;
  });
  const auto names = co_await std::move(loading);
  if (names.empty()) co_return false;
  auto asking = libvirts_failure(parts_.hypervisor);
  const auto failure = co_await std::move(asking);
  if (!failure) co_return false;
  waiting_sessions_ = names;
  view_.detail = "libvirt does not answer, and what became of " + names +
                 " here is not known: no device is used until it does.";
  changed();
  parts_.log.warning(std::string(failure->what()) + ": what became of " + names +
                     " here is not known, and no device is used until libvirt answers. " +
                     failure->next_step());
  co_return true;
}

Task<void> Host::wait_for_libvirt() {
  while (!waiting_sessions_.empty()) {
    auto asking = libvirts_failure(parts_.hypervisor);
    const auto failure = co_await std::move(asking);
    if (!failure) break;
    libvirt_back_.expires_after(pause_between_looks);
    boost::system::error_code woken;
    co_await libvirt_back_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
  }
}

void Host::refuse_while_waiting(const std::string& doing, const std::string& what) const {
  if (waiting_sessions_.empty()) return;
  throw Fault(Remedy::ask_admin,
              Fault::Text{doing, what,
                          "libvirt does not answer, and what became of " + waiting_sessions_ +
                              " here is not known",
                          "See 'satchelctl doctor'. It goes on by itself when libvirt is back."});
}

Task<void> Host::start() {
  hear_libvirt();
  auto loading = offload(parts_.lanes.files, [this] {
    parts_.cache->tidy();
    parts_.disks->tidy();
    return SyncBook::load(parts_.state_directory);
  });
  auto synced = co_await std::move(loading);
  for (auto& record : synced) parts_.syncs->note(std::move(record));
  auto taking_up = take_up_sessions();
  auto sessions = co_await std::move(taking_up);
  waiting_sessions_.clear();
  view_.detail.clear();
  // Between these two nothing else runs: a device is known before its session is, and nothing was
  // yet told of it.
  devices_.start();
  bool is_any_unknown = false;
  for (auto& [session, guest, is_known] : sessions) {
    const auto device = devices_.same_insertion(session.fs_uuid, session.disk_sequence);
    const auto capsule = session.capsule;
    is_any_unknown = is_any_unknown || !is_known;
    if (is_known)
      runner(capsule)->adopt(std::move(session), guest, device);
    else
      runner(capsule)->leave_unclaimed(std::move(session));
  }
  if (is_any_unknown)
    asio::co_spawn(parts_.loop, look_at_guests(LookAt::unclaimed), asio::detached);
  auto noting = note_hypervisor();
  co_await std::move(noting);
  room_.start();
  refresh();
}

Task<void> Host::note_hypervisor() {
  try {
    auto asking = parts_.hypervisor.ability(Accelerator::tcg);
    auto host = co_await std::move(asking);
    view_.hypervisor = std::move(host.uri);
  } catch (const Fault& failure) {
    view_.hypervisor.clear();
    parts_.log.warning(std::string(failure.what()) + "; it is tried again. " + failure.next_step());
  }
  changed();
}

}  // namespace satchel
