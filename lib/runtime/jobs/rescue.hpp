// A second copy of the memory that an eject writes, on this computer, until the device holds it:
// once QEMU has given all of its memory away it gives it to nobody a second time, and it can't go
// on without the files on the device (docs/decisions/0017-the-second-copy.md). In files without a
// name, so that nothing is left behind by a crash: the generation's own segment, what it borrows of
// the disks, and a segment that stands in for all earlier ones, which are on the device alone. One
// thread at a time, but for is_wanted().
#pragma once

#include <time.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <stop_token>
#include <string>

#include "base/handle.hpp"
#include "hibernation/page_codec.hpp"
#include "hibernation/save_image.hpp"
#include "runtime/stick.hpp"

namespace satchel {

class Rescue {
 public:
  /// `most`: bytes that it may take of the directory's filesystem. With none, or where no file can
  /// be made, there is no copy.
  Rescue(std::shared_ptr<const Stick> stick, const std::filesystem::path& directory,
         ByteCount most);
  struct Earlier {
    UniqueFd pages;
    UniqueFd borrowed;  ///< its borrowed cells, where it has any
  };
  /// This computer has these copies of all earlier segments, whole: there need be no stand-in. By
  /// their numbers.
  void has_earlier(std::map<std::uint64_t, Earlier> copies);
  bool needs_stand_in() const { return is_kept() && earlier_.empty(); }
  bool has_all_earlier() const { return !earlier_.empty(); }
  /// For the own segment alone it is not needed: what it takes is free again.
  void forget_stand_in() noexcept;

  /// libvirt's description of the guest, as its save has it.
  void describe(std::string xml, hibernation::SavedAs as);
  /// The next bytes of the generation's own segment. Where they can't be kept the copy is given up.
  void write(std::span<const std::byte> packed) noexcept { write(own_, packed); }
  /// The same of the stand-in; without it the own segment goes on, and makes no stream by itself.
  void write_stand_in(std::span<const std::byte> packed) noexcept;
  /// The same of the own segment's borrowed cells.
  void write_borrowed(std::span<const std::byte> pages) noexcept { write(borrowed_, pages); }
  /// The stream has ended by libvirt's own judgement. The map of own segment and stand-in, or of
  /// own segment and earlier ones.
  void finish(std::string map);

  /// Throws Fault when there is no own segment (any more), where nothing goes without one.
  void require() const;

  /// There is a copy, and it may become whole.
  bool is_kept() const { return kept_; }
  /// Why there is no copy; empty while there is one.
  const std::string& trouble() const { return trouble_; }
  /// The device went while there is a copy to be finished: whoever reads the stream goes on.
  bool is_wanted() const { return kept_ && !stick_->is_open(); }
  /// The stream has come to its end, whether there is a copy or not.
  bool saw_end() const { return !map_.empty(); }
  bool is_whole() const { return is_kept() && !map_.empty(); }
  bool has_own() const { return own_ && !map_.empty(); }
  /// The own segment, whole once it is finished; -1 when there is no copy.
  int own() const { return own_.get(); }
  int borrowed() const { return borrowed_.get(); }

  /// Makes a save image of the copy that libvirt takes, durable, as old as the stream's end: a disk
  /// that was written to since is newer. Throws Fault, and leaves no file then. Blocking, on the
  /// files lane.
  void make_save_image(const std::filesystem::path& image, unsigned threads) const;

 private:
  bool has_room_for(std::size_t bytes) noexcept;
  void write(const UniqueFd& copy, std::span<const std::byte> packed) noexcept;
  void give_up(std::string why) noexcept;

  std::shared_ptr<const Stick> stick_;
  std::uint64_t room_;
  UniqueFd own_;
  UniqueFd stand_in_;
  UniqueFd borrowed_;
  std::map<std::uint64_t, Earlier> earlier_;  ///< by number
  std::atomic<bool> kept_ = false;
  std::string trouble_;
  std::string xml_;
  hibernation::SavedAs as_ = hibernation::SavedAs::running;
  std::string map_;
  timespec ended_{};  ///< when the stream had ended, by the clock of files
  std::uint64_t stand_in_size_ = 0;
};

}  // namespace satchel
