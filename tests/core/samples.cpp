#include "core/samples.hpp"

namespace satchel::core::samples {

Uuid uuid(std::uint8_t number) {
  std::array<std::uint8_t, 16> bytes{};
  bytes.back() = number;
  return Uuid(bytes);
}

Found found(std::uint8_t generation) {
  Found out;
  out.id = GenerationId(uuid(generation));
  out.sequence = Sequence(generation);
  out.last_host = HostId(uuid(100));
  out.last_host_name = "anvil";
  out.time = UnixMicros(1'795'340'040'000'000);
  out.has_memory = true;
  return out;
}

Found found_checked_out() {
  auto out = found();
  out.checked_out = CheckedOut{HostId(uuid(101)), "bellows", SessionId(uuid(201)),
                               UnixMicros(1'795'343'640'000'000), Holder::another_host};
  return out;
}

Found found_needed() {
  auto out = found();
  out.needed_by = "bellows";
  return out;
}

Found found_lacking(Lacking::How how) {
  auto out = found();
  out.lacks = Lacking{how, Sequence(3), "bellows", UnixMicros(1'795'343'640'000'000)};
  return out;
}

Found found_checked_out_by_us() {
  auto out = found(2);
  out.checked_out = CheckedOut{HostId(uuid(100)), "anvil", SessionId(uuid(200)),
                               UnixMicros(1'795'343'640'000'000), Holder::this_host};
  return out;
}

Session session(Guest guest, std::uint8_t generation) {
  Session out;
  out.id = SessionId(uuid(200));
  out.base = GenerationId(uuid(generation));
  out.domain = DomainId(uuid(210));
  out.guest = guest;
  return out;
}

Session on_copies(Guest guest) {
  auto out = session(guest);
  out.on_copies = true;
  return out;
}

Work work() { return Work{under_way, first_stay, first_stay}; }

Reason reason() { return {"No space left on the device.", "Free some space and retry."}; }

std::vector<NamedState> states() {
  auto work_gone = work();
  work_gone.now.reset();
  auto work_removal = work();
  work_removal.removal = EjectAsked{};
  const auto runs = session(Guest::runs);
  const auto off = session(Guest::off);
  const auto saved = session(Guest::saved);
  const auto halted = session(Guest::halted);
  return {
      {"absent", Absent{}},
      {"examining", Examining{work(), {}}},
      {"examining, eject asked", Examining{work_removal, {}}},
      {"examining, going back", Examining{work(), {}, {}, found(3)}},
      {"examining, with a saved session", Examining{work(), saved}},
      {"examining, with a running session", Examining{work(), runs}},
      {"locked", Locked{first_stay, {}}},
      {"untrusted", Untrusted{first_stay, {}, "12:34"}},
      {"ready", Ready{first_stay, found()}},
      {"ready, checked out elsewhere", Ready{first_stay, found_checked_out()}},
      {"ready, taken over from another host", Ready{first_stay, found_needed()}},
      {"ready, an older copy", Ready{first_stay, found_lacking(Lacking::How::older_copy)}},
      {"ready, another branch", Ready{first_stay, found_lacking(Lacking::How::another_branch)}},
      {"launching", Launching{work(), found(), {}, LaunchFrom::memory}},
      {"launching, device gone", Launching{work_gone, found(), {}, LaunchFrom::memory}},
      {"launching, eject asked", Launching{work_removal, found(), {}, LaunchFrom::memory}},
      {"launching, reattached", Launching{work(), found(), halted, LaunchFrom::reattached}},
      {"running", Running{first_stay, found_checked_out_by_us(), runs}},
      {"running, guest paused by an error", Running{first_stay, found_checked_out_by_us(), halted}},
      {"running, guest off", Running{first_stay, found_checked_out_by_us(), off}},
      {"checkpointing", Checkpointing{work(), found(), runs}},
      {"checkpointing, device gone", Checkpointing{work_gone, found(), halted}},
      {"checkpointing, eject asked", Checkpointing{work_removal, found(), runs}},
      {"merging at rest", Tending{Upkeep::merge, work(), found(), {}}},
      {"merging", Tending{Upkeep::merge, work(), found_checked_out_by_us(), runs}},
      {"merging, guest off", Tending{Upkeep::merge, work(), found_checked_out_by_us(), off}},
      {"merging, device gone",
       Tending{Upkeep::merge, work_gone, found_checked_out_by_us(), halted}},
      {"merging, eject asked",
       Tending{Upkeep::merge, work_removal, found_checked_out_by_us(), runs}},
      {"folding at rest", Tending{Upkeep::fold, work(), found(), {}}},
      {"folding", Tending{Upkeep::fold, work(), found_checked_out_by_us(), runs}},
      {"compacting at rest", Tending{Upkeep::compact, work(), found(), {}}},
      {"compacting", Tending{Upkeep::compact, work(), found_checked_out_by_us(), runs}},
      {"ejecting", Ejecting{work(), found(), runs}},
      {"ejecting, device gone", Ejecting{work_gone, found(), runs}},
      {"ejecting, releasing only", Ejecting{work_removal, found(), {}}},
      {"safe", Safe{first_stay, found()}},
      {"stranded, being saved", Stranded{halted, under_way}},
      {"stranded, saved", Stranded{saved}},
      {"stranded, guest off", Stranded{off}},
      {"stranded, being exported", Stranded{saved, {}, {}, {}, {}, under_way}},
      {"stranded, device there but unused", Stranded{halted, {}, {}, first_stay}},
      {"detached, starting", Detached{saved, under_way}},
      {"detached", Detached{on_copies()}},
      {"detached, guest paused", Detached{on_copies(Guest::paused)}},
      {"detached, device there but unused", Detached{on_copies(), {}, {}, first_stay}},
      {"diverged", Diverged{first_stay, found(3), saved}},
      {"diverged, from an older copy",
       Diverged{first_stay, found_lacking(Lacking::How::older_copy), saved}},
      {"diverged, from what is checked out elsewhere",
       Diverged{first_stay, found_checked_out(), saved}},
      {"diverged, resolving", Diverged{first_stay, found(3), saved, work()}},
      {"failed", Failed{first_stay, {}, reason()}},
      {"failed, with a saved session", Failed{first_stay, saved, reason()}},
  };
}

std::vector<NamedEvent> events() {
  const auto runs = session(Guest::runs);
  const auto ended = [](auto outcome) { return JobEnded{under_way, std::move(outcome)}; };
  return {
      {"device_appeared", DeviceAppeared{second_stay}},
      {"device_appeared (same insertion)", DeviceAppeared{first_stay}},
      {"device_gone", DeviceGone{first_stay}},
      {"device_released", DeviceReleased{first_stay}},
      {"examined (found)", Examined{under_way, found()}},
      {"examined (found, checked out elsewhere)", Examined{under_way, found_checked_out()}},
      {"examined (found, committed elsewhere since)", Examined{under_way, found(3)}},
      {"examined (found, an older copy)",
       Examined{under_way, found_lacking(Lacking::How::older_copy)}},
      {"examined (needs unlock)", Examined{under_way, NeedsUnlock{}}},
      {"examined (needs trust)", Examined{under_way, NeedsTrust{"12:34"}}},
      {"examined (failed)", Examined{under_way, reason()}},
      {"unlock_given", UnlockGiven{}},
      {"trust_given", TrustGiven{}},
      {"launch_asked", LaunchAsked{}},
      {"launch_asked (take over)", LaunchAsked{Requester::person, TakeOver::yes, Memory::use}},
      {"launch_asked (boot instead)", LaunchAsked{Requester::person, TakeOver::no, Memory::ignore}},
      {"launch_asked (this copy)",
       LaunchAsked{Requester::person, TakeOver::no, Memory::use, ThisCopy::yes}},
      {"launch_asked (without device)",
       LaunchAsked{Requester::person, TakeOver::no, Memory::use, ThisCopy::no, WithoutDevice::yes}},
      {"eject_asked", EjectAsked{}},
      {"eject_asked (host shuts down)", EjectAsked{Requester::host_shutdown}},
      {"eject_asked (merge too)", EjectAsked{Requester::person, MergeToo::yes}},
      {"checkpoint_asked", CheckpointAsked{}},
      {"upkeep_asked (merge)", UpkeepAsked{Upkeep::merge}},
      {"upkeep_asked (fold)", UpkeepAsked{Upkeep::fold}},
      {"upkeep_asked (compact)", UpkeepAsked{Upkeep::compact}},
      {"upkeep_asked (merge, although needed)", UpkeepAsked{Upkeep::merge, Although::go_on}},
      {"rollback_asked", RollbackAsked{Sequence(1)}},
      {"cancel_asked", CancelAsked{}},
      {"choice_made (continue device)", ChoiceMade{Choice::continue_device}},
      {"choice_made (keep both)", ChoiceMade{Choice::keep_both}},
      {"choice_made (export ours)", ChoiceMade{Choice::export_ours}},
      {"choice_made (discard ours)", ChoiceMade{Choice::discard_ours}},
      {"job_ended (done, a session goes on)",
       ended(Done{found_checked_out_by_us(), runs, DeviceUse::kept})},
      {"job_ended (done, device released)", ended(Done{found(4), {}, DeviceUse::released})},
      {"job_ended (done, device kept)", ended(Done{found(4), {}, DeviceUse::kept})},
      {"job_ended (failed)", ended(JobFailed{reason(), {}, DeviceHealth::works})},
      {"job_ended (failed, device lost)", ended(JobFailed{reason(), {}, DeviceHealth::lost})},
      {"job_ended (cancelled)", ended(Cancelled{})},
      {"job_ended (an earlier job)", JobEnded{JobId(3), Cancelled{}}},
      {"guest_stopped (by itself)", GuestStopped{GuestEnd::by_itself}},
      {"guest_stopped (crashed)", GuestStopped{GuestEnd::crashed}},
      {"guest_paused (by error)", GuestPaused{GuestPause::by_error}},
      {"guest_paused (by somebody)", GuestPaused{GuestPause::by_somebody}},
      {"guest_resumed", GuestResumed{}},
      {"session_found (device there)", SessionFound{runs, first_stay}},
      {"session_found (no device)", SessionFound{runs, {}}},
      {"checkpoint_due", CheckpointDue{}},
      {"save_due", SaveDue{}},
      {"upkeep_due (merge)", UpkeepDue{Upkeep::merge}},
      {"upkeep_due (fold)", UpkeepDue{Upkeep::fold}},
      {"upkeep_due (compact)", UpkeepDue{Upkeep::compact}},
      {"capsule_removed", CapsuleRemoved{}},
      {"packed (at rest)", Packed{first_stay, found(), {}}},
      {"packed (running)", Packed{first_stay, found(), runs}},
  };
}

}  // namespace satchel::core::samples
