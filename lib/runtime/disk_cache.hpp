// What this computer keeps of the disks of machines that are at home here
// (docs/decisions/0034-disks-here.md): whole copies of the files of one generation, so that a
// session can go on although its device is gone. Bounded, checked before use, and harmless to lose.
// Blocking; on the files lane.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/handle.hpp"
#include "base/log.hpp"
#include "base/progress.hpp"
#include "config/config.hpp"
#include "format/head.hpp"
#include "session/session_shelf.hpp"

namespace satchel {

class DiskCache {
 public:
  /// `directory` is made when something is kept. `shelf` outlives this: what belongs to an open
  /// session goes only when somebody says so.
  DiskCache(std::filesystem::path directory, const Config& config, const SessionShelf& shelf,
            Log& log);

  /// Whether the configuration allows it. Any thread.
  bool may_keep(CapsuleId capsule, Home home) const;

  /// The files of the generation's disks, the smallest first.
  static std::vector<format::Object> files_of(const format::Head& head);

  /// Has what of these is not kept yet room, with `besides` left free as well, once the copies of
  /// other machines that are longest unused have made way. False: it has not.
  bool make_room(CapsuleId capsule, const std::vector<format::Object>& files,
                 ByteCount besides) const;
  /// Whether there is still as much free as is to be kept free.
  bool has_room() const;
  /// Removes copies until so much is free besides what is to be kept free, or none is left that
  /// may go. Those of `also` may, although a session of it is open: last. Failures are warnings.
  void give_way(ByteCount free, std::optional<CapsuleId> also = {}) const;

  bool has(CapsuleId capsule, const format::Object& file) const;
  /// A copy that is being made, for writing: as long as it has come. Throws Fault.
  UniqueFd begin(CapsuleId capsule, const format::Object& file) const;
  /// It is whole, and becomes the copy; durable when it returns. Throws Fault.
  void finish(CapsuleId capsule, const format::Object& file, int part) const;
  void abandon(CapsuleId capsule, const format::Object& file) const;
  /// All files of this head are kept: what else is kept of the capsule goes. `bytes`: the head's,
  /// as read_head() takes them. Throws Fault.
  void complete(const format::Head& head, std::string_view bytes) const;

  /// The generation all of whose disks are kept, as far as names and sizes tell. None: there is no
  /// such one. Its head's signature is checked.
  std::optional<format::Head> kept(CapsuleId capsule) const;
  /// Reads each of its files whole; one that is not what the head says is removed. Throws Fault
  /// naming it, also (retry) when stopped.
  void check(const format::Head& head, const ProgressSink& progress, std::stop_token stop) const;
  /// For reading. Throws Fault when it is not there.
  UniqueFd open(CapsuleId capsule, const format::Object& file) const;

  /// Removes what is kept of the capsule, or of all; gives the bytes of the disk that it took.
  /// Throws Fault.
  ByteCount drop(std::optional<CapsuleId> capsule) const;
  /// Removes what the configuration does not allow to be here: at start. Failures are warnings.
  void tidy() const;

 private:
  std::filesystem::path of(CapsuleId capsule) const;
  std::filesystem::path copy_of(CapsuleId capsule, const format::Object& file) const;
  std::filesystem::path part_of(CapsuleId capsule, const format::Object& file) const;
  std::filesystem::path head_of(CapsuleId capsule) const;
  void make_directory(CapsuleId capsule) const;
  struct Kept {
    CapsuleId capsule;
    std::filesystem::file_time_type used;
    ByteCount size;
    bool is_needed = false;  ///< by an open session
  };
  /// Longest unused first.
  std::vector<Kept> all() const;

  std::filesystem::path directory_;
  ByteCount most_;
  ByteCount keep_free_;
  DisksKept disks_of_;
  std::set<CapsuleId> private_;  ///< nothing of these is kept
  const SessionShelf& shelf_;
  Log& log_;
};

}  // namespace satchel
