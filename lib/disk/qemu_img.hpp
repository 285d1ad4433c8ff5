// qemu-img, run as a child process with every format named and nothing probed. Blocking; call it
// on the files lane. All throw Fault with qemu-img's own words as the reason.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/progress.hpp"

namespace satchel::disk {

/// One file of a source chain, top first, all formats explicit.
struct SourceFile {
  std::string path;
  std::string format;  ///< "raw", "qcow2", … as qemu-img names them; never probed
};

/// Copies all that the chain shows into one standalone qcow2 file (version 3, 64 KiB clusters, lazy
/// refcounts off); an existing file is overwritten. Zero clusters stay unallocated. The source may
/// be open in a running guest only below its top overlay. What is written is not durable: fsync the
/// target. Progress counts the bytes that size_when_flat() promises.
void flatten(const std::vector<SourceFile>& source, const std::string& target,
             const ProgressSink& progress, std::stop_token stop);

/// What the top of a chain shows: its virtual size. Does not open what is below; safe while a guest
/// uses the file.
ByteCount virtual_size(const SourceFile& file);

/// Whether no QEMU has the file open to write, as its locks tell (OFD, fcntl(2)). What is in it
/// does not matter, it may be the beginning of an image. False as well where nobody can tell: to be
/// asked before a file is removed.
bool is_free(const std::string& file);

/// The bytes flatten() would need at most (`qemu-img measure`). Safe while a guest uses the source.
/// Of tables that somebody has made for it, it takes hours.
ByteCount size_when_flat(const std::vector<SourceFile>& source, std::stop_token stop = {});

/// The bytes of the disk that the file itself has and that are not zeros: what it takes in a file
/// that is not compressed, tables aside. Safe while a guest uses the file.
ByteCount data_in(const SourceFile& file, std::stop_token stop);

struct NewOverlay {
  std::string path;
  ByteCount virtual_size;
  /// Written into the header as it is, not opened, not required to exist; none for no backing.
  std::optional<std::string> backing_name;
};
/// Makes an empty qcow2 file (version 3, 64 KiB clusters, lazy refcounts off).
void create_overlay(const NewOverlay& overlay);

/// Makes of an overlay a file with the same content and nothing else, whatever its header says is
/// below: its clusters compressed (zstd), one behind the other, and what was zeroed or discarded
/// still so. Both are qcow2; an existing target is overwritten, and so is TARGET.below, which is
/// gone afterwards. The target's header names that one as below: see set_backing(). Safe while a
/// suspended guest has the overlay open. Not durable.
void compress_overlay(const std::string& overlay, const std::string& target, std::stop_token stop);

/// Writes what the overlay holds into the file below it, whatever its header says that is; nothing
/// may have either open. Interrupted, it is simply run again.
void merge_into(const SourceFile& below, const std::string& overlay);

/// What `qemu-img check` says of one file alone; throws when it is damaged. Leaked clusters are no
/// damage.
void check(const SourceFile& file);

/// Throws when the file's own map names data beyond its end: a download or copy that was cut off,
/// of which qemu-img shows zeros instead. What is compressed is found when it is read.
void check_whole(const SourceFile& file);

}  // namespace satchel::disk
