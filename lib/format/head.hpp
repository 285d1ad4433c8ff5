// A generation's signed description, as docs/DEVICE-FORMAT.md defines it: which objects make it up,
// who made it, what machine it is. Values only; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "crypto/digest.hpp"
#include "crypto/host_key.hpp"

namespace satchel::format {

/// Of a head that names segments of earlier generations, which version 1 can't; all others are
/// written as version 1, so that an earlier Satchel reads them.
inline constexpr std::uint32_t head_version_segments = 2;
inline constexpr std::uint32_t format_version = 1;     ///< of slots, and of all other heads
inline constexpr std::size_t largest_head = 4U << 20;  ///< bytes of a head file
inline constexpr std::size_t most_disks = 64;
inline constexpr std::size_t longest_chain = 256;  ///< files of one disk
inline constexpr std::size_t most_segments = 64;
inline constexpr std::size_t most_objects = 4096;
inline constexpr std::size_t longest_history = 32;
/// Integers of a head go up to here, so that every JSON reader keeps them exactly.
inline constexpr std::uint64_t largest_integer = (std::uint64_t{1} << 53) - 1;

/// A file of the capsule. `path` is relative to the capsule's directory, at most two parts of
/// [A-Za-z0-9._-], neither beginning nor ending with a dot, distinct without regard to case.
struct Object {
  std::string path;
  ByteCount size;
  Digest digest;
  bool operator==(const Object&) const = default;
};

/// One disk and its chain, bottom first: image, COW file, layers in order.
struct Disk {
  std::string target;  ///< "vda"; also its directory's name
  ByteCount virtual_size;
  std::vector<std::string> chain;  ///< paths of objects
  /// An image alone: what is in a CD drive, which machines only read.
  bool is_medium() const { return chain.size() == 1; }
  bool operator==(const Disk&) const = default;
};

/// The saved memory, CPU and device state.
struct Hibernation {
  std::string codec;        ///< "zstd-pages-3" to "-1", "zstd-blocks-1"
  std::string pages;        ///< object with the bytes
  std::string map;          ///< object that tells how to rebuild QEMU's stream
  ByteCount stream_size;    ///< of QEMU's stream
  std::string accelerator;  ///< "kvm" or "tcg": what the state was made under
  std::string emulator;     ///< version that made it, for people: "QEMU 7.2.22"
  bool was_paused = false;  ///< the user had paused the guest; it stays paused after a resume
  /// Objects of earlier generations that the map refers to. None: the codec knows no such thing.
  std::optional<std::vector<std::string>> segments{};
  bool operator==(const Hibernation&) const = default;
};

struct Generation {
  Sequence seq;
  GenerationId id;
  std::optional<GenerationId> parent;
  HostId host;
  std::string host_name;
  UnixMicros time;
  bool operator==(const Generation&) const = default;
};

struct CheckedOut {
  HostId host;
  std::string host_name;
  SessionId session;
  UnixMicros since;
  bool operator==(const CheckedOut&) const = default;
};

/// One line of the past, newest last, kept in every head (at most 32) so that history survives the
/// removal of old heads.
struct Past {
  Generation generation;
  std::string what;  ///< "pack", "check out", "eject", "start fresh"
  bool operator==(const Past&) const = default;
};

struct Head {
  CapsuleId capsule;
  std::string name;
  std::uint32_t epoch = 1;
  Generation generation;
  std::optional<CheckedOut> checked_out;
  std::string machine_json;  ///< machine::write_json's object, kept as it is
  std::vector<Disk> disks;
  std::optional<Hibernation> hibernation;
  std::optional<std::string> nvram;  ///< object with the firmware's variables
  std::vector<Object> objects;       ///< sorted by path; all that the above name, and no others
  std::vector<Past> history;
  bool operator==(const Head&) const = default;

  const Object* find(std::string_view path) const;
};

struct SignedHead {
  Head head;
  PublicKey signer;
  Digest digest;  ///< of the file's bytes; the slot's record has it
};

/// The head file's bytes: canonical JSON with signer and signature. Throws Fault when check() finds
/// a mistake or when the key is not that of the generation's host.
std::string write_head(const Head& head, const HostKey& key);

/// Reads and checks everything: size, depth, canonical encoding, version, all members, every path,
/// that objects and references match, the signature. A version that is not ours is one mistake
/// whose `where` is "version" and whose text says which version of Satchel is needed.
Result<SignedHead> read_head(std::string_view bytes);

/// Whether this Satchel reads heads of that version.
bool is_known_version(std::uint64_t version);

/// The version that a head's bytes name, when they are JSON that names one: to tell a head of a
/// later Satchel from a damaged one.
std::optional<std::uint32_t> version_of(std::string_view bytes);

/// What is wrong with a head that is about to be written; empty when nothing is.
Mistakes check(const Head& head);

}  // namespace satchel::format
