// What the runtime tells the journal of a capsule: one grammar for transitions, failures and
// notices, each notable kind with its MESSAGE_ID (docs/JOURNAL.md). Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/fault.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"
#include "core/effect.hpp"
#include "core/event.hpp"
#include "core/state.hpp"
#include "ports/authority.hpp"
#include "sync/report.hpp"

namespace satchel {

LogLine transition_line(CapsuleId id, const std::string& name, std::string_view before,
                        std::string_view after, std::string_view cause);
LogLine failure_line(CapsuleId id, const std::string& name, const Fault& fault);
/// Of a job that is no capsule's own, such as a pack; `capsule`: that it was about, if any.
LogLine job_failure_line(const std::string& operation, std::optional<CapsuleId> capsule,
                         const Fault& fault);
LogLine notice_line(CapsuleId id, const std::string& name, core::Notice notice,
                    const core::State& state);

/// What a job has done, for whoever reads a week's journal.
struct Outcome {
  std::string_view operation;  ///< "eject"
  std::string_view done;       ///< "ejected to"
  Sequence generation;
  std::string node;  ///< of the device
  ByteCount moved;   ///< bytes that crossed to the device or from it
  std::chrono::milliseconds took;
};
LogLine outcome_line(CapsuleId id, const std::string& name, const Outcome& outcome);

/// That a user was allowed to do something.
LogLine request_line(std::uint32_t user, const Undertaking& wanted);
/// That a user was not.
LogLine refused_line(std::uint32_t user, const Undertaking& wanted);

/// With counts: the line that sums one folder's sync up.
LogLine sync_line(CapsuleId id, const std::string& name, LogLevel level, const std::string& text,
                  const std::optional<sync::Counts>& counts);

/// "eject": what an asked event asks for, as in "could not eject vm1".
std::string asked_for(const core::Event& event);

}  // namespace satchel
