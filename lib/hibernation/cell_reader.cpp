#include "hibernation/cell_reader.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "hibernation/frames.hpp"
#include "hibernation/stream_parser.hpp"

namespace satchel::hibernation {

CellReader::CellReader(std::vector<Segment> segments, SegmentOpener open)
    : segments_(std::move(segments)),
      open_(std::move(open)),
      opened_(segments_.size()),
      blocks_(most_blocks) {}

const CellReader::Block& CellReader::block(std::size_t segment, std::uint64_t number) {
  ++now_;
  for (auto& each : blocks_) {
    if (each.when == 0 || each.segment != segment || each.block != number) continue;
    each.when = now_;
    return each;
  }
  auto& opened = opened_[segment];
  if (!opened.file) opened.file.emplace(open_(segments_[segment]), segments_[segment]);
  opened.file->read_frame(number, opened.window, packed_);
  auto& oldest = *std::ranges::min_element(blocks_, {}, &Block::when);
  oldest.when = 0;
  oldest.cells.resize(segments_[segment].cells_of(number) * page_size);
  const auto stored = opened.file->stored_in(number);
  if (stored > 0)
    unpack_frame(packed_, opened.file->block(number).digest,
                 std::span(oldest.cells).first(stored * page_size),
                 "block " + std::to_string(number) + " of " + name_of(segments_[segment]));
  opened.file->spread(number, oldest.cells);
  oldest.segment = segment;
  oldest.block = number;
  oldest.when = now_;
  return oldest;
}

std::optional<std::span<const std::byte>> CellReader::read(std::size_t segment,
                                                           std::uint64_t cell) noexcept {
  if (opened_[segment].failed) return std::nullopt;
  try {
    const auto& found = block(segment, cell / cells_in_block);
    if (opened_[segment].file->borrows().at(cell)) return std::nullopt;
    return std::span(found.cells).subspan(cell % cells_in_block * page_size, page_size);
  } catch (const std::exception& reason) {
    // What it is compared with only saves space: without it the page is stored whole.
    opened_[segment].failed = true;
    if (trouble_.empty()) trouble_ = reason.what();
    return std::nullopt;
  }
}

}  // namespace satchel::hibernation
