// What an export is made from, whatever holds it: every file open, the memory as a stream. Today a
// committed generation on a device; a session of this host (overlay and saved guest) is to be
// another. Files lane.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/handle.hpp"
#include "base/progress.hpp"
#include "format/capsule_directory.hpp"
#include "hibernation/codec.hpp"
#include "machine/description.hpp"
#include "ports/hypervisor.hpp"
#include "runtime/parts.hpp"

namespace satchel {

struct ExportedDisk {
  struct File {
    std::string name;  ///< "image.qcow2": what the file above calls it
    UniqueFd fd;
    ByteCount size;
  };
  std::string target;
  ByteCount virtual_size;
  std::vector<File> chain;  ///< bottom first, all qcow2
};

struct ExportedMemory {
  ByteCount stream_size;
  ByteCount steps;  ///< what `stream` reports as its total
  bool was_paused = false;
  /// Gives QEMU's stream, each block checked before it is given.
  std::function<void(const hibernation::Sink&, const ProgressSink&, std::stop_token)> stream;
};

struct ExportSource {
  std::string name;   ///< of the capsule
  std::string state;  ///< "generation 7 by desk, 2026-11-22 09:34 UTC": for people
  machine::Description machine;
  Accelerator accelerator{};
  std::vector<ExportedDisk> disks;
  std::optional<ExportedMemory> memory;
  std::optional<std::string> nvram;  ///< the firmware's variables themselves
};

/// One of the generations that a device keeps; none: the newest.
struct GenerationChoice {
  std::optional<Sequence> seq;
  enum class Memory { with, without } memory = Memory::with;
  /// The newest that this host knows of: where it can't be read, none is taken in its place.
  std::optional<Sequence> known{};
};

/// Opens and checks all that the generation names. Throws Fault.
ExportSource open_generation(const Parts& parts, format::CapsuleDirectory capsule,
                             GenerationChoice choice, const JobContext& job);

}  // namespace satchel
