// What CapsuleDirectory knows between calls. Inside lib/format only.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "format/capsule_directory.hpp"
#include "format/files.hpp"

namespace satchel::format {

inline constexpr const char* top_directory = "satchel";
inline constexpr std::array<const char*, 2> slot_paths = {"slots/0", "slots/1"};

std::string head_path(Sequence seq);  ///< "heads/7.json"

/// The numbers of the heads that are there, the highest first.
OrErrno<std::vector<Sequence>> list_heads(const CapsuleDirectory::State& capsule);
/// The same, or a Fault.
std::vector<Sequence> heads_in(const CapsuleDirectory::State& capsule);

/// What was begun since the last commit, shared with the writers of objects.
struct Work {
  /// Of failure, claimed and finished: objects may be written on several threads.
  std::mutex mutex;
  /// An effect failed: nothing more is written through this capsule.
  std::optional<Remedy> failure;
  std::set<std::string> claimed;           ///< paths given out for writing
  std::map<std::string, Object> finished;  ///< fsynced; the next head may name them
  std::set<std::string> directories;       ///< with new entries; "" is the capsule's own

  void require_usable() {
    const std::lock_guard lock(mutex);
    if (failure)
      throw Fault(*failure, {"write to", "the capsule",
                             "an earlier write failed, and what it left is unknown",
                             "Open the capsule again."});
  }

  /// Runs effects; after a failure no others are let through, and what they would have done has
  /// the same remedy.
  template <class F>
  auto guard(F effects) -> decltype(effects()) {
    require_usable();
    try {
      return effects();
    } catch (const Fault& fault) {
      fail(fault.remedy());
      throw;
    } catch (...) {
      fail(Remedy::retry);
      throw;
    }
  }

 private:
  void fail(Remedy remedy) {
    const std::lock_guard lock(mutex);
    if (!failure) failure = remedy;
  }
};

/// One slot and what its record leads to.
struct SlotFound {
  SlotState state = SlotState::torn;
  std::optional<SlotRecord> record;
  std::optional<SignedHead> head;  ///< read and verified, whether its objects are there or not
  bool complete = false;           ///< the head and all its objects are there
};

struct Found {
  std::array<SlotFound, 2> slots;
  std::optional<std::size_t> newest;  ///< index of a complete slot
  Examination examination;
};

struct CapsuleDirectory::State {
  State(UniqueFd capsule_dir, CapsuleId capsule) : dir(std::move(capsule_dir)), id(capsule) {}

  UniqueFd dir;
  CapsuleId id;
  std::shared_ptr<Work> work = std::make_shared<Work>();
  std::mutex creation;                          ///< one object is created at a time
  std::map<std::string, UniqueFd> directories;  ///< of objects, by name; opened once
  std::optional<Found> found;                   ///< of the last look, kept up by commit

  std::string shown(std::string_view path = {}) const;
  /// Reads slots and heads anew.
  Found& look();
  Found& looked() { return found ? *found : look(); }
  /// Whether a slot names that generation, as it was last looked at.
  bool in_a_slot(Sequence seq) const;
  /// As CapsuleDirectory::look_at_older(), of what was last looked at.
  CapsuleDirectory::Older older() const;
  /// Why the object's file can't be looked at: an error of the device, or 0.
  int medium_error_of(const Object& object) const;
  /// Removes heads, and syncs their directory when there were any.
  void remove_heads(const std::vector<Sequence>& generations);
  /// Throws unless this version may write here: slots of a known version, not all lost.
  void require_writable(const std::string& doing);
  /// Why the object is not there as its head says; none when it is.
  std::optional<std::string> wrong_with(const Object& object) const;
  /// The directory of an object's path, made when missing; noted for the commit's fsync.
  int directory_for(std::string_view path);
  /// Checks a path that is about to be written, and notes it.
  void claim(const std::string& doing, const std::string& path);
};

}  // namespace satchel::format
