// A person's own directory, given as a descriptor: what an export writes and an import reads. All
// is opened beneath it and no link is followed, for its owner may change it while we work; a file
// that is written gets its name when all of them are whole. Blocking; one thread at a time.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/handle.hpp"
#include "base/ids.hpp"

namespace satchel::disk {

class GivenDirectory {
 public:
  /// `shown` is how its owner calls it, for sentences and for the files' own texts: nothing is
  /// opened by it. Throws Fault{fix_request} for anything but a directory that can be read.
  GivenDirectory(UniqueFd directory, std::string shown);

  const std::string& shown() const { return shown_; }
  std::string shown(const std::string& path) const { return shown_ + "/" + path; }
  int fd() const { return directory_.get(); }

  /// The names in it, sorted; at most 4096 are looked at.
  std::vector<std::string> names() const;
  /// A regular file, open for reading; none when there is no such file. Throws Fault for a link, a
  /// device, or a path that leads out.
  std::optional<UniqueFd> open(const std::string& path) const;
  /// The whole of one. Throws Fault when it is larger than `limit` or not there.
  std::string read(const std::string& path, ByteCount limit) const;

  struct Room {
    ByteCount free;
    ByteCount largest_file;  ///< 4 GiB - 1 on FAT32
  };
  Room room() const;

 private:
  UniqueFd directory_;
  std::string shown_;
};

/// Files that are being written there. Until publish() they have the names that they will get with
/// ".part" behind; destroyed before, they are removed.
class NewFiles {
 public:
  /// `where` outlives it.
  explicit NewFiles(const GivenDirectory& where);
  NewFiles(const NewFiles&) = delete;
  NewFiles& operator=(const NewFiles&) = delete;
  ~NewFiles();

  /// A new file, or DIRECTORY/NAME, whose directory is made when missing; gives its descriptor,
  /// which stays ours. Throws Fault when anything has either name.
  int create(const std::string& path);
  /// create() and the text.
  void write(const std::string& path, std::string_view text);

  /// Makes all of it durable, gives it to the directory's owner and then its names, in the order of
  /// create(). Throws Fault, and then none of the names is there.
  void publish();

 private:
  struct File {
    std::string directory;  ///< "" or the name of one that we have made
    std::string name;
    std::string path;
    UniqueFd fd;
    enum class Has { part_name, final_name } has = Has::part_name;
  };
  int directory_of(const File& file) const;
  void make_directory(const std::string& name);
  void give_name(File& file);
  void remove() noexcept;

  const GivenDirectory& where_;
  std::vector<File> files_;
  struct Made {
    std::string name;
    UniqueFd fd;
  };
  std::vector<Made> directories_;
  bool published_ = false;
};

/// The path of an open file for programs that only take paths and run as our children: it stands
/// for this very file, whatever becomes of its name.
std::string path_of(int fd);

/// Writes all of it at the file's offset. Throws Fault.
void write_all(int fd, std::string_view bytes, const std::string& shown);

}  // namespace satchel::disk
