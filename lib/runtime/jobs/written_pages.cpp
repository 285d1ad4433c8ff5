#include "runtime/jobs/written_pages.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/fault.hpp"
#include "base/handle.hpp"
#include "base/host_fault.hpp"
#include "disk/written.hpp"
#include "hibernation/pipeline.hpp"
#include "hibernation/stream_parser.hpp"

namespace satchel {

namespace {

using hibernation::DiskPage;
using hibernation::page_size;

constexpr std::uint64_t pages_at_once = 256;
constexpr std::uint64_t all_pages = std::uint64_t{1} << 51;

/// Pages that stand one after the other in an overlay.
struct Extent {
  DiskPage first;
  std::uint64_t count;
  const UniqueFd* file;
  std::uint64_t place;
};

struct Piece {
  Extent from{};
  std::vector<std::byte> bytes;
  std::vector<std::optional<ContentName>> names;  ///< none of pages of zeros
};

class Overlays {
 public:
  Overlays(const Session& session, const format::Head& head) : session_(session), head_(head) {
    for (const auto& disk : head.disks) targets_.push_back(disk.target);
  }
  const std::vector<std::string>& targets() const { return targets_; }

  /// Tells the pages what was written, and gives what can be read of it.
  std::vector<Extent> look(hibernation::DiskPages& pages, std::stop_token stop) {
    std::vector<Extent> out;
    for (const auto& overlay : session_.disks) {
      const auto target = std::ranges::find(targets_, overlay.target);
      if (target == targets_.end()) continue;
      auto files = overlay.overlays();
      std::ranges::reverse(files);
      const auto first_file = files_.size();
      for (const auto& file : files) files_.push_back(open(file));
      const auto disk = static_cast<std::uint32_t>(target - targets_.begin());
      // They stand on something else than the generation before shows: all may be different.
      if (overlay.chain != head_.disks[disk].chain) pages.note_written(disk, 0, all_pages);
      for (const auto& each : disk::written_in(files, stop)) {
        const auto end = each.offset + each.length;
        const auto touched = each.offset / page_size;
        pages.note_written(disk, touched, (end + page_size - 1) / page_size - touched);
        if (each.as != disk::Written::As::data) continue;
        // Whole pages only.
        const auto first = (each.offset + page_size - 1) / page_size;
        if (first < end / page_size)
          out.push_back({{disk, first},
                         end / page_size - first,
                         files_[first_file + each.file].get(),
                         each.place + first * page_size - each.offset});
      }
    }
    return out;
  }

 private:
  static std::unique_ptr<UniqueFd> open(const std::string& path) {
    UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file) throw host_fault_from_errno(errno, "open the overlay", path);
    return std::make_unique<UniqueFd>(std::move(file));
  }

  const Session& session_;
  const format::Head& head_;
  std::vector<std::string> targets_;
  std::vector<std::unique_ptr<UniqueFd>> files_;
};

void read_whole(int fd, std::uint64_t offset, std::span<std::byte> buffer) {
  while (!buffer.empty()) {
    const auto n = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw host_fault_from_errno(n < 0 ? errno : EIO, "read", "the overlay");
    buffer = buffer.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

void name_pages(Piece& piece, const ContentKey& key) {
  piece.names.assign(piece.from.count, std::nullopt);
  for (std::size_t i = 0; i < piece.names.size(); ++i) {
    const auto page = std::span(piece.bytes).subspan(i * page_size, page_size);
    if (std::ranges::any_of(page, [](std::byte b) { return b != std::byte{}; }))
      piece.names[i] = content_name(key, page);
  }
}

}  // namespace

hibernation::DiskPages written_pages(const Session& session, const format::Head& head,
                                     const ContentKey& key, unsigned threads,
                                     std::stop_token stop) {
  Overlays overlays(session, head);
  hibernation::DiskPages out(overlays.targets());
  const auto extents = overlays.look(out, stop);
  std::size_t at = 0;
  std::uint64_t done = 0;  // of that extent
  std::uint64_t read = 0;
  const auto fill = [&](Piece& piece, const std::stop_token&) {
    if (at == extents.size() || read >= hibernation::DiskPages::most) return false;
    piece.from = extents[at];
    piece.from.first.page += done;
    piece.from.place += done * page_size;
    piece.from.count = std::min(piece.from.count - done, pages_at_once);
    done += piece.from.count;
    read += piece.from.count;
    if (done == extents[at].count) {
      ++at;
      done = 0;
    }
    piece.bytes.resize(piece.from.count * page_size);
    read_whole(piece.from.file->get(), piece.from.place, piece.bytes);
    return true;
  };
  hibernation::Pipeline<Piece> pipeline(
      threads, {fill, [&](Piece& piece) { name_pages(piece, key); },
                [&](Piece& piece) {
                  for (std::size_t i = 0; i < piece.names.size(); ++i)
                    if (piece.names[i])
                      out.add(*piece.names[i], {piece.from.first.disk, piece.from.first.page + i});
                }});
  pipeline.run(std::move(stop));
  return out;
}

std::optional<hibernation::DiskPages> Lending::lend(const ContentKey& key, std::stop_token stop) {
  try {
    before_.emplace(session_);
    return written_pages(session_, head_, key, worker_threads(parts_.config), stop);
  } catch (const Fault& failure) {
    if (stop.stop_requested()) throw;
    parts_.log.warning(std::string(failure.what()) +
                       "; what the disks have is written with the memory as well");
    return std::nullopt;
  }
}

void Lending::demand_unwritten() const {
  if (!before_ || before_->are_unwritten()) return;
  throw Fault(Remedy::retry,
              Fault::Text{"write the memory of", session_.capsule_name,
                          "it wrote to its disks while it was being saved", "Eject it again."});
}

}  // namespace satchel
