// What libvirt tells of guests, and looks at them when it is back.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "runtime/host.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace asio = boost::asio;

void Host::guest_changed(const GuestEvent& event) {
  // Packed twice, a machine has sessions of two capsules here, of which one waits for its device:
  // each finds out whether the guest is its own.
  const auto all = capsules_;
  for (const auto& [id, capsule] : all)
    if (capsule->domain() == event.id) capsule->guest_changed(event);
}

Task<void> Host::look_at_guests(LookAt which) {
  if (which == LookAt::all) hypervisor_is_back_ = true;
  look_due_ = true;
  if (std::exchange(looking_, true)) co_return;
  while (std::exchange(look_due_, false)) {
    const bool is_back = std::exchange(hypervisor_is_back_, false);
    const auto all = capsules_;  // others may come meanwhile
    for (const auto& [id, capsule] : all) {
      try {
        auto looking = look_at(*capsule, is_back ? LookAt::all : LookAt::unclaimed);
        co_await std::move(looking);
      } catch (const std::exception& failure) {
        parts_.log.warning(std::string(failure.what()) + "; the guest is taken to be as it was");
      }
      if (is_back) capsule->hypervisor_back();
    }
  }
  looking_ = false;
}

Task<void> Host::look_at(CapsuleRunner& capsule, LookAt which) {
  if (auto session = capsule.unclaimed()) {
    auto taking_up = take_up_session(*session);
    auto found = co_await std::move(taking_up);
    if (!capsule.unclaimed()) co_return;
    const auto own = devices_.same_insertion(found.session.fs_uuid, found.session.disk_sequence);
    const bool is_there = own && own == core::device_of(capsule.state());
    capsule.adopt(std::move(found.session), found.guest, is_there ? own : std::nullopt);
  } else if (which == LookAt::all) {
    auto looking = capsule.look_at_guest();
    co_await std::move(looking);
  }
}

void Host::connection_changed(bool up) {
  if (up) {
    parts_.log.info("libvirt is there");
    libvirt_back_.cancel();
    asio::co_spawn(parts_.loop, note_hypervisor(), asio::detached);
    asio::co_spawn(parts_.loop, look_at_guests(LookAt::all), asio::detached);
    return;
  }
  parts_.log.warning("libvirt is gone; running guests go on, and it is tried again");
  view_.hypervisor.clear();
  changed();
}

}  // namespace satchel
