// A capsule from a machine's plain files: generation 1, with memory where the set has it
// (docs/decisions/0014-export.md). The files are only read. Loop thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "format/head.hpp"
#include "runtime/jobs/import_set.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"

namespace satchel {

struct ImportOrder {
  std::shared_ptr<Stick> stick;
  CapsuleId capsule;  ///< not on the device yet
  std::shared_ptr<disk::GivenDirectory> from;
  std::string name;  ///< of the capsule; empty: the machine's
  ImportMemory memory = ImportMemory::with;
};

struct Imported {
  format::SignedHead head;
  std::vector<std::string> left_behind;  ///< sentences: what did not travel
};

/// Nothing is left on the device when it fails. Throws Fault.
Task<Imported> import_capsule(Parts& parts, ImportOrder order, JobContext job);

}  // namespace satchel
