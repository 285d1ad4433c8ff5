// Changes in the host's folder, each of which is whole or not there at all: drafts beside their
// place, renamed over what was expected there and nothing else. Inside lib/sync only. Blocking; one
// thread. What only this one thing can't have is an Obstacle; a medium that is full or failing a
// Fault.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <tl/expected.hpp>

#include "sync/host_tree.hpp"
#include "sync/model.hpp"

namespace satchel::sync {

struct Obstacle {
  enum class Kind {
    changed,  ///< what is there is not what was seen before
    taken,    ///< something is there by now
    cannot,   ///< the host can't have this
  } kind = Kind::cannot;
  std::string why;
};

template <class T>
using OrObstacle = tl::expected<T, Obstacle>;

/// Throws for errors that concern everything (no space, input/output); otherwise an Obstacle.
Obstacle obstacle_from(int error, const std::string& doing, const std::string& shown);

/// A file or link as it is being made. Gone with this object when it was not installed.
class Draft {
 public:
  static OrObstacle<Draft> file(HostTree& tree, const std::string& to);
  static OrObstacle<Draft> link(HostTree& tree, const std::string& to, const std::string& target);
  Draft(Draft&& other) noexcept;
  Draft& operator=(Draft&& other) = delete;
  ~Draft();

  enum class Zeros { stored, left_out /* blocks of them become holes */ };
  void write(std::span<const std::byte> bytes, Zeros zeros);
  void skip(ByteCount length) { length_ += length.value; }
  ByteCount stored() const { return ByteCount(stored_); }

  /// All has been written: its length, mode and time; closes it, not synced. None when all is well.
  std::optional<Obstacle> finish(std::uint32_t mode, UnixNanos mtime);
  std::optional<Obstacle> finish_link(UnixNanos mtime);

  /// Puts it to its place, where what `over` says has to be; nothing when it says none. Gives what
  /// is there then.
  OrObstacle<Found> install(const std::optional<HostEntry>& over);
  /// Another place in the same directory.
  void redirect(std::string to) { to_ = std::move(to); }
  const std::string& to() const { return to_; }

 private:
  Draft(HostTree& tree, std::string to, std::string name, UniqueFd fd)
      : tree_(&tree), to_(std::move(to)), name_(std::move(name)), fd_(std::move(fd)) {}
  OrObstacle<Found> replace(int directory, const std::string& target, const HostEntry& over);
  OrObstacle<Found> add(int directory, const std::string& target);
  OrObstacle<Found> installed(int directory, const std::string& target);
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);

  HostTree* tree_;
  std::string to_;
  std::string name_;  // of the draft, beside its place; empty when it is no more
  UniqueFd fd_;
  std::uint64_t length_ = 0;
  std::uint64_t stored_ = 0;
  std::uint64_t inode_ = 0;
};

/// renameat2(2) with RENAME_NOREPLACE, or the nearest to it that the filesystem has; gives errno.
int rename_without_replacing(int from, const std::string& name, int to, const std::string& target);

/// Whether it is what was seen: its content's stamp; renames and links to it don't count.
bool is_same_thing(const Found& now, const HostEntry& before);

/// Whether something answers to this path that is not listed under that very name, as where
/// letters' case does not count.
bool is_only_an_alias(HostTree& tree, const std::string& path);

/// It may be there already. What the filesystem can't have of `mode` is left.
OrObstacle<Found> make_directory(HostTree& tree, const std::string& path, std::uint32_t mode);
std::optional<Obstacle> remove_directory(HostTree& tree, const std::string& path);
OrObstacle<Found> restamp(HostTree& tree, const HostEntry& over, std::uint32_t mode,
                          UnixNanos mtime);
/// The times of a directory, after all that is put into it; it does not matter when it fails.
void set_directory_time(HostTree& tree, const std::string& path, UnixNanos mtime);

}  // namespace satchel::sync
