#include "hibernation/cell_tags.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "hibernation/stream_parser.hpp"

namespace satchel::hibernation {

namespace {

/// As far as `call`, pread or pwrite, gets with all of a block's tags.
template <class Call, class Bytes>
void whole(Call call, int fd, std::uint64_t block, Bytes tags) {
  auto at = static_cast<off_t>(block * sizeof(SegmentTags::Block));
  for (std::size_t done = 0; done < tags.size();) {
    const auto n = call(fd, tags.data() + done, tags.size() - done, at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    done += static_cast<std::size_t>(n);
    at += n;
  }
}

}  // namespace

void SegmentTags::write(std::uint64_t block, const Block& tags) const noexcept {
  whole(::pwrite, file_.get(), block, std::as_bytes(std::span(tags)));
}

void SegmentTags::read(std::uint64_t block, Block& tags) const noexcept {
  tags.fill({});
  whole(::pread, file_.get(), block, std::as_writable_bytes(std::span(tags)));
}

void OwnTags::add(const ContentTag& tag) {
  if (!file_) return;
  block_[cells_ % cells_in_block] = tag;
  if (++cells_ % cells_in_block == 0) file_->write(cells_ / cells_in_block - 1, block_);
}

std::shared_ptr<const SegmentTags> OwnTags::finish() {
  const auto last = cells_ % cells_in_block;
  if (file_ && last != 0) {
    std::fill(block_.begin() + static_cast<std::ptrdiff_t>(last), block_.end(), ContentTag{});
    file_->write(cells_ / cells_in_block, block_);
  }
  return std::move(file_);
}

CellTags::CellTags(std::filesystem::path directory, ContentTagger tagger)
    : directory_(std::move(directory)),
      tagger_(std::move(tagger)),
      of_zeros_(tagger_.tag(std::array<std::byte, page_size>{})) {}

std::shared_ptr<CellTags> CellTags::make(std::filesystem::path directory) {
  auto tagger = ContentTagger::make();
  if (!tagger) return nullptr;
  return std::shared_ptr<CellTags>(new CellTags(std::move(directory), std::move(*tagger)));
}

std::shared_ptr<SegmentTags> CellTags::begin() const {
  UniqueFd file(::open(directory_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file) return nullptr;
  return std::make_shared<SegmentTags>(std::move(file));
}

void CellTags::keep(const Segment& segment, std::shared_ptr<const SegmentTags> tags) {
  if (!tags) return;
  const std::lock_guard lock(mutex_);
  std::erase_if(kept_, [&](const Kept& each) { return each.first == segment; });
  kept_.emplace_back(segment, std::move(tags));
}

void CellTags::keep_only(std::span<const Segment> segments) {
  const std::lock_guard lock(mutex_);
  std::erase_if(kept_,
                [&](const Kept& each) { return std::ranges::count(segments, each.first) == 0; });
}

std::shared_ptr<const SegmentTags> CellTags::find(const Segment& segment) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(kept_, segment, &Kept::first);
  return found == kept_.end() ? nullptr : found->second;
}

}  // namespace satchel::hibernation
