// What every way of making a capsule ends with: its directory on the device, an image and an empty
// COW file for each disk, and generation 1. pack, create and import say what goes in. Nothing is
// left on the device when one fails: begin_capsule notes the undoing. Loop thread.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "disk/qemu_img.hpp"
#include "format/capsule_directory.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"
#include "runtime/undo.hpp"

namespace satchel {

/// One disk: what its image file is made from.
struct NewDisk {
  std::string target;                    ///< "vda"
  std::vector<disk::SourceFile> source;  ///< top first; none: a disk that reads as zeros
  ByteCount virtual_size;
  ByteCount image_size;  ///< what the image file may grow to while it is made
  /// A medium has an image file alone: machines only read it.
  enum class Kind { disk, medium } kind = Kind::disk;
};

struct NewCapsule {
  std::shared_ptr<Stick> stick;
  CapsuleId capsule;
  std::string name;
  std::string deed;          ///< "pack": for sentences, and the history's first line
  std::string machine_json;  ///< as machine::write_json gives it
  std::vector<NewDisk> disks;
  std::optional<std::filesystem::path> nvram;  ///< a file of this host to copy
  /// Writes further objects before the commit and names them in the head (the hibernation file of
  /// an import, firmware variables that are no file). Files lane.
  std::function<void(format::CapsuleDirectory&, format::Head&, Meter&, std::stop_token)> more;
  ByteCount more_size;  ///< what those need on the device at most
};

/// A capsule without its first generation.
struct Unfinished {
  format::CapsuleDirectory capsule;
  format::Head head;
};

/// Makes the capsule's directory once there is room for all of it, and tells the meter what is to
/// come. Fault{other_device} where the filesystem can't hold a file that large (4 GiB on FAT32),
/// Fault{free_space} where there is too little.
Task<std::unique_ptr<Unfinished>> begin_capsule(Parts& parts, const NewCapsule& order,
                                                JobContext job, Undo& undo);

/// Fills it and commits generation 1, checked out by the session where one has begun. All three
/// references are the caller's until the task has ended.
Task<format::SignedHead> finish_capsule(Parts& parts, const NewCapsule& order,
                                        Unfinished& unfinished, std::optional<SessionId> session,
                                        JobContext job);

}  // namespace satchel
