// What is remembered of a mapping between two syncs: one file, to which whole batches are appended.
// A batch that did not come to its end does not count. Blocking; one thread, one process at a time.
//
// File "records": "satchel-sync 1\n", then batches of {u32 length of the body, body, the body's
// BLAKE2b-256}. A body is any number of records as lib/sync/state_record.hpp has them; a later one
// of the same path counts. Numbers are little endian.
// File "under-way": the moment that names what the sync under way makes; there while one is.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/handle.hpp"
#include "sync/model.hpp"
#include "sync/plan.hpp"

namespace satchel::sync {

class State {
 public:
  enum class Use { read, written };
  /// `directory` stays the caller's. Throws Fault with Remedy::retry when another sync has it. With
  /// Use::read nothing is made or changed.
  State(int directory, Use use);

  const Records& records() const { return records_; }
  /// A part of what was remembered could not be read: those paths count as never seen.
  bool was_damaged() const { return damaged_; }

  /// The moment of a sync that did not come to its end.
  const std::optional<std::string>& unfinished() const { return unfinished_; }
  /// Notes it; nothing may be changed on the host before.
  void begin(const std::string& moment);
  /// Remembers what was done, which must be on the medium by now; on return, this is as well.
  void append(std::span<const RecordChange> changes);
  /// The sync is over. Makes the file anew when most of it is no longer of use.
  void end();

 private:
  void lock();
  void load();
  void open_for_appending();
  void write_anew();
  std::size_t read_batches(std::string_view bytes);

  int directory_;
  Use use_;
  UniqueFd lock_;
  UniqueFd file_;
  Records records_;
  bool damaged_ = false;
  std::optional<std::string> unfinished_;
  std::uint64_t size_ = 0;   // of the part of the file that counts
  std::uint64_t total_ = 0;  // records in it, the superseded ones included
};

}  // namespace satchel::sync
