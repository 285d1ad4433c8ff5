// One capsule's directory on a device: what is there, and how a generation is committed to it.
// Opens everything beneath the directory and follows no link (base/beneath.hpp). Blocking: use it
// on the files lane; one thread at a time. Throws Fault;
// after a Fault from a write the object is of no further use: open the capsule again (an fsync is
// never tried twice).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/handle.hpp"
#include "base/ids.hpp"
#include "base/progress.hpp"
#include "crypto/digest.hpp"
#include "crypto/host_key.hpp"
#include "format/head.hpp"
#include "format/slot.hpp"
#include "format/verification.hpp"

namespace satchel::format {

/// What reading a capsule's slots and heads found.
struct Examination {
  std::optional<SignedHead> newest;  ///< the newest generation that is complete; its objects exist
  std::optional<SignedHead> previous;  ///< the one in the other slot, when that is complete too
  /// One that was committed after that and is not complete, which no power cut leaves.
  std::optional<Sequence> damaged;
  std::vector<std::string> problems;  ///< sentences: a torn slot, a missing object, …
  std::vector<std::string> notes;     ///< sentences about the filesystem; nothing is wrong
  std::optional<std::uint32_t>
      unknown_version;  ///< a newer Satchel wrote here; nothing may be written

  /// The first problem without its full stop, to stand within a sentence.
  std::optional<std::string> first_problem() const;
};

/// An object being written: sequential, digested as it goes. Destroyed before finish(): the file
/// is removed.
class ObjectWriter {
 public:
  ObjectWriter(ObjectWriter&&) noexcept;
  ObjectWriter& operator=(ObjectWriter&&) noexcept;
  ~ObjectWriter();

  void write(std::span<const std::byte> bytes);
  /// Skips n bytes that read as zero (a hole where the filesystem has holes); digested as zeros.
  void skip(ByteCount n);
  ByteCount size() const;
  /// fsyncs the file and gives what a head says of it. The directory is fsynced by commit().
  Object finish();

 private:
  friend class CapsuleDirectory;
  struct State;
  explicit ObjectWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// What the filesystem of the device can hold.
struct Room {
  ByteCount free;
  ByteCount size;          ///< of the filesystem
  ByteCount largest_file;  ///< 4 GiB - 1 on FAT32
};

class CapsuleDirectory {
 public:
  /// The capsules below ROOT/satchel, in order of their ids, at most 64; anything else there is
  /// passed over. Throws Fault when others than root may write to ROOT/satchel.
  /// `root` is a directory descriptor of the mounted device.
  static std::vector<CapsuleId> list(int root);
  /// Makes the directories, the preallocated slots and README.txt; fsyncs all of it. What earlier
  /// creations and removals have left that were cut short goes first.
  static CapsuleDirectory create(int root, CapsuleId id);
  static CapsuleDirectory open(int root, CapsuleId id);
  /// Removes a capsule with all its objects. Its slots say so first: cut short, it is none any
  /// more, and what is left goes with the next create() on this device, or when it is removed
  /// again.
  static void remove(int root, CapsuleId id);

  CapsuleDirectory(CapsuleDirectory&&) noexcept;
  CapsuleDirectory& operator=(CapsuleDirectory&&) noexcept;
  ~CapsuleDirectory();

  CapsuleId id() const;
  Room room() const;

  Examination examine();
  /// The bytes of the newest generation's head, as read_head() takes them. Throws Fault when there
  /// is none.
  std::string newest_head();
  /// Reads everything that the kept generations need from the medium, past the page cache, each
  /// file once, and writes nothing. Commits may come meanwhile, merges and folds must not. Throws
  /// Fault when stopped (retry), when the device is gone, and for what a later version wrote.
  Verification verify(const ProgressSink& progress, std::stop_token stop) const;

  enum class Access { read, read_write };
  UniqueFd open_object(std::string_view path, Access access) const;
  /// Opens, and refuses with Remedy::replug/other_device when the size is not the one the head
  /// names (image and COW files, changed by merges, may be larger).
  UniqueFd open_checked(const Object& object, Access access) const;
  /// Whether what the object's bytes are now has the digest that its head states. Through the page
  /// cache, as whoever uses it afterwards reads it. Throws Fault: it can't be read, is too short,
  /// or the reading was stopped (retry).
  bool is_as_stated(const Object& object, const ProgressSink& progress, std::stop_token stop) const;
  /// Reads a small object whole and checks its digest; at most `limit` bytes.
  std::string read_object(const Object& object, ByteCount limit) const;

  /// A new file; its directory is made when missing. An existing file of that name, left by an
  /// interrupted writer and named by no head, is replaced. Several may be made and written at the
  /// same time, each by its own thread; all else of a CapsuleDirectory is for one thread.
  ObjectWriter create_object(std::string path);
  /// Takes a file that another program wrote in place (qemu-img's image): fsyncs it, digests it
  /// and gives what a head says of it.
  Object adopt_object(std::string path, const ProgressSink& progress, std::stop_token stop);
  /// The path of an object for programs that only take paths and run as our children:
  /// "/proc/<our pid>/fd/N/image.qcow2", good while this CapsuleDirectory lives; its directory is
  /// made when missing. Nothing is at the path, or a regular file.
  std::string path_for_child(std::string_view path);

  /// Commits as docs/DEVICE-FORMAT.md says: fsync of the objects' directories, head, other slot,
  /// read back past the page cache. When it returns, the generation is on the medium. Refuses, with
  /// nothing written, a head that does not continue the newest generation (seq and parent) or names
  /// an object that was neither finished or adopted through this CapsuleDirectory nor is in the
  /// newest or an older head just so.
  SignedHead commit(const Head& head, const HostKey& key);
  /// fsyncs the commit records: what examine() read of them is on the medium when it returns, also
  /// where a process that was killed had written it and not flushed it.
  void write_through() const;
  /// The complete generations before the newest, newest first: those of its history whose heads are
  /// here, in the other slot or beside it. A head that can't be read is passed over.
  std::vector<Head> older();
  /// The same, and those of which nobody knows by now what they need.
  struct Older {
    std::vector<Head> heads;
    std::vector<Sequence> unread;   ///< the device could not be read, now
    std::vector<Sequence> damaged;  ///< not whole, or not what the newest's history tells of
  };
  Older look_at_older();
  /// Removes these older generations' heads; on the medium when it returns, so that their objects
  /// may be changed or removed. What a slot names stays.
  void give_up(const std::vector<Sequence>& generations);
  /// Removes what neither the two newest heads nor those of the older generations `keep` name:
  /// first other heads, then objects. Objects begun since the last commit stay, and nothing goes
  /// while a slot is torn or its head unread. Call it after a commit was read back. Gives the bytes
  /// freed.
  ByteCount sweep(const std::vector<Sequence>& keep = {});
  /// One line in the capsule's `log` file, for people. A Fault of it is not one of the commit, and
  /// leaves the capsule usable.
  void append_log(std::string_view line);

  struct State;  ///< lib/format's own

 private:
  explicit CapsuleDirectory(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace satchel::format
