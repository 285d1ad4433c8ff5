#include "libvirt/events.hpp"

#include <libvirt/libvirt.h>

namespace satchel {

namespace {

using What = GuestEvent::What;

std::string why_paused(int detail) {
  switch (detail) {
    case VIR_DOMAIN_EVENT_SUSPENDED_PAUSED:
      return "paused";
    case VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED:
      return "paused for a save";
    case VIR_DOMAIN_EVENT_SUSPENDED_IOERROR:
      return "a disk failed";
    case VIR_DOMAIN_EVENT_SUSPENDED_WATCHDOG:
      return "its watchdog fired";
    case VIR_DOMAIN_EVENT_SUSPENDED_RESTORED:
      return "restored paused";
    case VIR_DOMAIN_EVENT_SUSPENDED_FROM_SNAPSHOT:
      return "reverted to a snapshot";
    case VIR_DOMAIN_EVENT_SUSPENDED_API_ERROR:
      return "a libvirt operation failed";
    default:
      return "reason " + std::to_string(detail);
  }
}

GuestEvent stopped(DomainId id, int detail) {
  switch (detail) {
    case VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN:
      return {id, What::stopped_by_guest, "shut down"};
    case VIR_DOMAIN_EVENT_STOPPED_DESTROYED:
      return {id, What::stopped_by_host, "destroyed"};
    case VIR_DOMAIN_EVENT_STOPPED_CRASHED:
      return {id, What::crashed, "its emulator ended"};
    case VIR_DOMAIN_EVENT_STOPPED_MIGRATED:
      return {id, What::stopped_by_host, "migrated away"};
    case VIR_DOMAIN_EVENT_STOPPED_SAVED:
      return {id, What::stopped_by_host, "saved"};
    case VIR_DOMAIN_EVENT_STOPPED_FAILED:
      return {id, What::crashed, "its emulator failed"};
    case VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT:
      return {id, What::stopped_by_host, "reverted to a snapshot"};
    default:
      return {id, What::crashed, "reason " + std::to_string(detail)};
  }
}

}  // namespace

std::optional<GuestEvent> guest_event(DomainId id, int event, int detail) {
  switch (event) {
    case VIR_DOMAIN_EVENT_STARTED:
      return GuestEvent{id, What::started, {}};
    case VIR_DOMAIN_EVENT_SUSPENDED:
      return GuestEvent{
          id,
          detail == VIR_DOMAIN_EVENT_SUSPENDED_IOERROR ? What::paused_by_io_error : What::paused,
          why_paused(detail)};
    case VIR_DOMAIN_EVENT_RESUMED:
      return GuestEvent{id, What::resumed, {}};
    case VIR_DOMAIN_EVENT_STOPPED:
      return stopped(id, detail);
    case VIR_DOMAIN_EVENT_PMSUSPENDED:
      return GuestEvent{id, What::paused, "it went to sleep"};
    case VIR_DOMAIN_EVENT_CRASHED:
      return GuestEvent{id, What::crashed, "it panicked"};
    default:
      return std::nullopt;
  }
}

std::optional<BlockJobEnd> block_job_end(int status) {
  switch (status) {
    case VIR_DOMAIN_BLOCK_JOB_COMPLETED:
      return BlockJobEnd::completed;
    case VIR_DOMAIN_BLOCK_JOB_FAILED:
      return BlockJobEnd::failed;
    case VIR_DOMAIN_BLOCK_JOB_CANCELED:
      return BlockJobEnd::cancelled;
    default:
      return std::nullopt;
  }
}

GuestState guest_state(int state, int reason) {
  switch (state) {
    case VIR_DOMAIN_PAUSED:
      return reason == VIR_DOMAIN_PAUSED_IOERROR ? GuestState::paused_by_io_error
                                                 : GuestState::paused;
    case VIR_DOMAIN_PMSUSPENDED:
      return GuestState::paused;
    case VIR_DOMAIN_SHUTOFF:
      return reason == VIR_DOMAIN_SHUTOFF_CRASHED ? GuestState::crashed : GuestState::shut_off;
    case VIR_DOMAIN_CRASHED:
      return GuestState::crashed;
    // A guest that is shutting down still has its emulator, which still has the disks.
    default:
      return GuestState::running;
  }
}

}  // namespace satchel
