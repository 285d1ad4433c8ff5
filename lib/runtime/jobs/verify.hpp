// The job that reads everything that a capsule's kept generations need, and how its result is told.
// Nothing is changed; it may run beside a running guest.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/fault.hpp"
#include "format/verification.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"

namespace satchel {

struct VerifyOrder {
  std::shared_ptr<Stick> stick;
  CapsuleId capsule;
};

/// Throws Fault when it could not be read to its end: stopped, or the device gone.
Task<format::Verification> verify_capsule(Parts& parts, VerifyOrder order, JobContext job);

/// What a verification was of.
struct Verified {
  JobId job;
  CapsuleId capsule;
  std::string name;
  UnixMicros time;
  format::Verification found;
  bool lives_here = false;  ///< the machine's memory is in this computer
};

/// Whether something of the saved memory is damaged, or of a disk that may lend it pages; and
/// whether nothing but its own files is.
bool may_have_damaged_memory(const format::Verification& found);
bool has_damaged_memory_alone(const format::Verification& found);

/// What to do about what was found; empty when all is whole.
std::string next_step(const Verified& verified);
/// As satchelctl verify --json shows it.
std::string report_of(const Verified& verified);
/// A line for each flaw, the next step; none when all is whole.
std::optional<Fault> fault_of(const Verified& verified);

}  // namespace satchel
