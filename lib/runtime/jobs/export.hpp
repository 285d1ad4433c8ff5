// A capsule as plain files that any libvirt takes: domain XML, qcow2 disks, firmware variables and
// a save image, written into a directory that the asker has opened (docs/decisions/0014-export.md).
// Only read from the device. Loop thread.
#pragma once

#include <memory>
#include <string>

#include "disk/given_directory.hpp"
#include "runtime/jobs/export_source.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"

namespace satchel {

enum class DiskLayout {
  flat,   ///< one qcow2 file a disk
  chain,  ///< the files as they are on the device, a directory a disk
};

struct ExportOrder {
  std::shared_ptr<Stick> stick;  ///< null: what is exported is on this computer
  CapsuleId capsule;
  std::shared_ptr<disk::GivenDirectory> to;  ///< its shown() becomes part of the XML's paths
  DiskLayout layout = DiskLayout::flat;
  GenerationChoice generation;
};

struct Exported {
  std::string name;
  std::string state;  ///< which of the machine's states it is, for people
  ByteCount written;
};

/// An export makes its directory's whole content: throws Fault{fix_request} where there is
/// something in it. Files lane.
void check_empty(const ExportOrder& order, const std::string& name);

/// What `order` names of its source is looked at before: here it only says where to, and how. The
/// source is the caller's until the task has ended. Nothing is left in the directory when it fails.
/// Throws Fault.
Task<Exported> export_source(Parts& parts, const ExportOrder& order, const ExportSource& source,
                             JobContext job);
/// A generation on the order's stick.
Task<Exported> export_capsule(Parts& parts, ExportOrder order, JobContext job);

}  // namespace satchel
