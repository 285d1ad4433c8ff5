// Merging and folding a capsule's disk files on its device, layers into the COW files and these
// into the image files, and compacting its memory, live beside the session's guest or at rest. What
// is read through any chain that a head or a journal names is the same at every instant
// (docs/decisions/0009).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/event.hpp"
#include "core/words.hpp"
#include "format/capsule_directory.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"
#include "session/session.hpp"

namespace satchel {

struct TendOrder {
  std::shared_ptr<Stick> stick;
  CapsuleId capsule;
  core::Upkeep what = core::Upkeep::merge;
  std::optional<Session> session;  ///< the one that is open here, if any
  core::Although although = core::Although::refuse;
  std::uint64_t bytes_per_second = 0;  ///< 0: no limit
  /// Whether older generations that are worth keeping are given up to a merge; to a fold they are.
  enum class Older { given_up, kept } older = Older::given_up;
  /// Of the memory's segments, those that a compaction writes anew.
  enum class Extent { all, worn } extent = Extent::all;
};

struct Tended {
  format::SignedHead head;         ///< the newest generation now
  std::optional<Session> session;  ///< as its journal has it now
  std::string said;                ///< sentences that a person should read; may be empty
};

/// Stopped or failed, it is simply asked for again: what was merged stays merged.
Task<Tended> tend(Parts& parts, TendOrder order, JobContext job);

}  // namespace satchel
