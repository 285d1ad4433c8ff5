// Inside lib/core only: the table of contents of the machine. Each pair of a state and an event
// that does something has a declaration here and a definition in the file named above it; every
// other pair falls to the template and means "nothing".
#pragma once

#include "core/settle.hpp"

namespace satchel::core {

template <class S, class E>
Step on(const S&, const E&, const Given&) {
  return std::nullopt;
}

// on_resting.cpp: nothing is under way.
Step on(const Absent&, const DeviceAppeared&, const Given&);
Step on(const Absent&, const SessionFound&, const Given&);
Step on(const Absent&, const Packed&, const Given&);

Step on(const Locked&, const DeviceGone&, const Given&);
Step on(const Locked&, const DeviceReleased&, const Given&);
Step on(const Locked&, const UnlockGiven&, const Given&);
Step on(const Locked&, const EjectAsked&, const Given&);
Step on(const Locked&, const SessionFound&, const Given&);

Step on(const Untrusted&, const DeviceGone&, const Given&);
Step on(const Untrusted&, const DeviceReleased&, const Given&);
Step on(const Untrusted&, const TrustGiven&, const Given&);
Step on(const Untrusted&, const EjectAsked&, const Given&);
Step on(const Untrusted&, const SessionFound&, const Given&);

Step on(const Ready&, const DeviceGone&, const Given&);
Step on(const Ready&, const DeviceReleased&, const Given&);
Step on(const Ready&, const LaunchAsked&, const Given&);
Step on(const Ready&, const EjectAsked&, const Given&);
Step on(const Ready&, const UpkeepAsked&, const Given&);
Step on(const Ready&, const UpkeepDue&, const Given&);
Step on(const Ready&, const RollbackAsked&, const Given&);
Step on(const Ready&, const SessionFound&, const Given&);
Step on(const Ready&, const CapsuleRemoved&, const Given&);
Step on(const Failed&, const CapsuleRemoved&, const Given&);

Step on(const Safe&, const DeviceAppeared&, const Given&);
Step on(const Safe&, const DeviceGone&, const Given&);
Step on(const Safe&, const SessionFound&, const Given&);

Step on(const Failed&, const DeviceGone&, const Given&);
Step on(const Failed&, const DeviceReleased&, const Given&);
Step on(const Failed&, const LaunchAsked&, const Given&);
Step on(const Failed&, const EjectAsked&, const Given&);
Step on(const Failed&, const SessionFound&, const Given&);

// on_examining.cpp
Step on(const Examining&, const DeviceAppeared&, const Given&);
Step on(const Examining&, const DeviceGone&, const Given&);
Step on(const Examining&, const Examined&, const Given&);
Step on(const Examining&, const JobEnded&, const Given&);
Step on(const Examining&, const LaunchAsked&, const Given&);
Step on(const Examining&, const EjectAsked&, const Given&);
Step on(const Examining&, const CancelAsked&, const Given&);
Step on(const Examining&, const SessionFound&, const Given&);

// on_working.cpp: a job or a guest is at work.
Step on(const Launching&, const DeviceAppeared&, const Given&);
Step on(const Launching&, const DeviceGone&, const Given&);
Step on(const Launching&, const JobEnded&, const Given&);
Step on(const Launching&, const EjectAsked&, const Given&);
Step on(const Launching&, const CancelAsked&, const Given&);

Step on(const Running&, const DeviceGone&, const Given&);
Step on(const Running&, const LaunchAsked&, const Given&);
Step on(const Running&, const EjectAsked&, const Given&);
Step on(const Running&, const CheckpointAsked&, const Given&);
Step on(const Running&, const CheckpointDue&, const Given&);
Step on(const Running&, const UpkeepAsked&, const Given&);
Step on(const Running&, const UpkeepDue&, const Given&);
Step on(const Running&, const ChoiceMade&, const Given&);
Step on(const Running&, const GuestStopped&, const Given&);
Step on(const Running&, const GuestPaused&, const Given&);
Step on(const Running&, const GuestResumed&, const Given&);

Step on(const Checkpointing&, const DeviceAppeared&, const Given&);
Step on(const Checkpointing&, const DeviceGone&, const Given&);
Step on(const Checkpointing&, const JobEnded&, const Given&);
Step on(const Checkpointing&, const EjectAsked&, const Given&);
Step on(const Checkpointing&, const CancelAsked&, const Given&);

Step on(const Ejecting&, const DeviceAppeared&, const Given&);
Step on(const Ejecting&, const DeviceGone&, const Given&);
Step on(const Ejecting&, const JobEnded&, const Given&);
Step on(const Ejecting&, const EjectAsked&, const Given&);
Step on(const Ejecting&, const CancelAsked&, const Given&);

// on_upkeep.cpp: disk files are merged or memory compacted; whatever else is asked for ends that.
Step on(const Tending&, const DeviceAppeared&, const Given&);
Step on(const Tending&, const DeviceGone&, const Given&);
Step on(const Tending&, const JobEnded&, const Given&);
Step on(const Tending&, const LaunchAsked&, const Given&);
Step on(const Tending&, const EjectAsked&, const Given&);
Step on(const Tending&, const CancelAsked&, const Given&);
Step on(const Tending&, const GuestStopped&, const Given&);

// on_apart.cpp: a session and its device are not together.
Step on(const Stranded&, const DeviceAppeared&, const Given&);
Step on(const Stranded&, const DeviceGone&, const Given&);
Step on(const Stranded&, const DeviceReleased&, const Given&);
Step on(const Stranded&, const JobEnded&, const Given&);
Step on(const Stranded&, const LaunchAsked&, const Given&);
Step on(const Stranded&, const EjectAsked&, const Given&);
Step on(const Stranded&, const ChoiceMade&, const Given&);
Step on(const Stranded&, const CancelAsked&, const Given&);
Step on(const Stranded&, const SaveDue&, const Given&);

Step on(const Diverged&, const DeviceAppeared&, const Given&);
Step on(const Diverged&, const DeviceGone&, const Given&);
Step on(const Diverged&, const DeviceReleased&, const Given&);
Step on(const Diverged&, const ChoiceMade&, const Given&);
Step on(const Diverged&, const JobEnded&, const Given&);
Step on(const Diverged&, const EjectAsked&, const Given&);
Step on(const Diverged&, const CancelAsked&, const Given&);

// on_detached.cpp: it goes on without its device.
Step on(const Detached&, const DeviceAppeared&, const Given&);
Step on(const Detached&, const DeviceGone&, const Given&);
Step on(const Detached&, const JobEnded&, const Given&);
Step on(const Detached&, const LaunchAsked&, const Given&);
Step on(const Detached&, const EjectAsked&, const Given&);
Step on(const Detached&, const CancelAsked&, const Given&);
Step on(const Detached&, const GuestStopped&, const Given&);
Step on(const Detached&, const GuestPaused&, const Given&);
Step on(const Detached&, const GuestResumed&, const Given&);

}  // namespace satchel::core
