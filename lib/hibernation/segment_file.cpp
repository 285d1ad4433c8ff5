#include "hibernation/segment_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "hibernation/frames.hpp"
#include "hibernation/stream_parser.hpp"

namespace satchel::hibernation {

namespace {

/// Reading on costs less than a new place in the file.
constexpr std::uint64_t largest_gap = 512U << 10;

void read_at(int fd, std::uint64_t offset, std::span<std::byte> buffer, const std::string& name) {
  while (!buffer.empty()) {
    const auto n = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (n == 0) throw damaged(name, "its file ends early");
    if (n < 0 && errno != EINTR) throw fault_from_errno(errno, "read", name);
    if (n < 0) continue;
    buffer = buffer.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

std::string read_table(int fd, std::uint64_t offset, std::size_t size, const Digest& digest,
                       const std::string& name) {
  std::string out(size, '\0');
  read_at(fd, offset, std::as_writable_bytes(std::span(out)), name);
  if (digest_of(out) != digest) throw damaged(name, "its table is not what was written");
  return out;
}

}  // namespace

std::string name_of(const Segment& segment) {
  return "the memory of generation " + std::to_string(segment.number);
}

std::vector<PageBlock> read_blocks_of(int fd, const Segment& segment) {
  auto blocks = read_block_table(read_table(fd, block_table_at(segment), block_table_size(segment),
                                            segment.blocks, name_of(segment)),
                                 segment);
  if (!blocks) throw damaged(name_of(segment), to_string(blocks.error()));
  return std::move(*blocks);
}

std::vector<ContentName> read_names_of(int fd, const Segment& segment) {
  return read_name_table(read_table(fd, name_table_at(segment), name_table_size(segment),
                                    segment.names, name_of(segment)));
}

BorrowTable read_borrows_of(int fd, const Segment& segment) {
  if (segment.borrowed == 0) return {};
  auto table = BorrowTable::read(read_table(fd, borrow_table_at(segment), segment.borrow_size.value,
                                            segment.borrow, name_of(segment)),
                                 segment.named);
  if (!table) throw damaged(name_of(segment), to_string(table.error()));
  if (table->count() != segment.borrowed)
    throw damaged(name_of(segment), "it borrows more or less than its map says");
  return std::move(*table);
}

SegmentFile::SegmentFile(UniqueFd fd, const Segment& segment)
    : fd_(std::move(fd)),
      segment_(segment),
      blocks_(read_blocks_of(fd_.get(), segment)),
      borrows_(read_borrows_of(fd_.get(), segment)),
      needed_(blocks_.size(), false),
      name_(hibernation::name_of(segment)) {
  offsets_.reserve(blocks_.size() + 1);
  std::uint64_t at = 0;
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    if ((blocks_[i].packed_size == 0) != (stored_in(i) == 0))
      throw damaged(name_, "its tables do not agree");
    offsets_.push_back(at);
    at += blocks_[i].packed_size;
  }
  offsets_.push_back(at);
  if (!borrows_.empty()) names_ = read_names_of(fd_.get(), segment);
}

std::uint64_t SegmentFile::stored_in(std::uint64_t block) const {
  const auto first = block * cells_in_block;
  const auto count = segment_.cells_of(block);
  return count - (borrows_.before(first + count) - borrows_.before(first));
}

void SegmentFile::spread(std::uint64_t block, std::span<std::byte> cells) const {
  const auto first = block * cells_in_block;
  const auto cell = [&](std::uint64_t i) { return cells.subspan(i * page_size, page_size); };
  auto stored = stored_in(block);
  for (auto i = cells.size() / page_size; i > stored; --i) {
    if (borrows_.at(first + i - 1))
      std::ranges::fill(cell(i - 1), std::byte{});
    else
      std::ranges::copy(cell(--stored), cell(i - 1).begin());
  }
}

void SegmentFile::keep_tables(const LocalCopy& copy) const {
  const auto keep = [&](std::uint64_t offset, const std::string& table) {
    copy.write(offset, std::as_bytes(std::span(table)));
  };
  const auto borrows = borrows_.empty() ? Borrows::nothing : Borrows::cells;
  keep(block_table_at(segment_), write_block_table(blocks_, borrows));
  if (borrows_.empty()) return;
  keep(borrow_table_at(segment_), borrows_.write());
  keep(name_table_at(segment_), write_name_table(names_));
}

/// As far as blocks are needed that stand close to one another.
std::uint64_t SegmentFile::end_of_window(std::size_t index, std::size_t size) const {
  const auto from = offsets_[index];
  auto end = offsets_[index + 1];
  for (auto i = index + 1; i < blocks_.size() && offsets_[i + 1] - from <= size; ++i) {
    if (needed_[i])
      end = offsets_[i + 1];
    else if (offsets_[i + 1] - end > largest_gap)
      break;
  }
  return end;
}

void SegmentFile::read_frame(std::size_t index, Window& window,
                             std::vector<std::byte>& frame) const {
  const auto from = offsets_[index];
  const auto size = static_cast<std::size_t>(offsets_[index + 1] - from);
  frame.resize(size);
  const auto read = [&](std::span<std::byte> buffer) {
    read_at(fd_.get(), from, buffer, name_);
    window.read += buffer.size();
  };
  const auto end = window.from + window.bytes.size();
  if (from < window.from || from + size > end) {
    // Going back, a block is wanted alone; going forward, those behind it will be as well.
    if (from < window.from) return read(frame);
    window.bytes.resize(end_of_window(index, window.size) - from);
    window.from = from;
    read(window.bytes);
  }
  const auto begin = window.bytes.begin() + static_cast<std::ptrdiff_t>(from - window.from);
  std::copy_n(begin, size, frame.begin());
}

}  // namespace satchel::hibernation
