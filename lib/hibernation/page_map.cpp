#include "hibernation/page_map.hpp"

#include <zstd.h>

#include <algorithm>
#include <utility>

#include "base/fault.hpp"
#include "hibernation/block_walk.hpp"
#include "hibernation/little_endian.hpp"
#include "hibernation/page_index.hpp"
#include "hibernation/read_limit.hpp"

namespace satchel::hibernation {

namespace {

constexpr std::string_view map_magic = "SATCHPGM";
constexpr std::string_view table_magic = "SATCHSEG";
constexpr std::uint32_t version = 3;  ///< 2: without borrowed cells; 1: without differences as well
constexpr std::uint32_t version_without_borrowed = 2;
constexpr std::size_t head_size = 64;
constexpr std::size_t segment_size_without_borrowed = 96;
constexpr std::size_t segment_size = 144;
constexpr std::uint64_t largest_borrow_table = 64U << 20;
constexpr std::size_t table_head_size = 16;
constexpr std::size_t block_size = 36;
constexpr std::size_t name_size = 16;
constexpr std::uint32_t skippable_magic = 0x184d2a53;
constexpr std::size_t skippable_head_size = 8;
constexpr int recipe_level = 9;

std::string packed(const std::string& recipe) {
  std::string out(ZSTD_compressBound(recipe.size()), '\0');
  const auto size =
      ZSTD_compress(out.data(), out.size(), recipe.data(), recipe.size(), recipe_level);
  if (ZSTD_isError(size))
    throw Fault(Remedy::report_bug, {"compress", "the map", ZSTD_getErrorName(size), {}});
  out.resize(size);
  return out;
}

Result<std::string> unpacked(std::string_view frame, std::uint64_t size) {
  if (size > largest_recipe) return mistake("map", "its recipe is too long");
  if (ZSTD_findFrameCompressedSize(frame.data(), frame.size()) != frame.size() ||
      ZSTD_getFrameContentSize(frame.data(), frame.size()) != size)
    return mistake("map", "its recipe is not one frame of the size it names");
  std::string out(size, '\0');
  if (ZSTD_decompress(out.data(), out.size(), frame.data(), frame.size()) != size)
    return mistake("map", "its recipe is damaged");
  return out;
}

std::size_t entry_size(std::uint32_t map_version) {
  return map_version < version ? segment_size_without_borrowed : segment_size;
}

std::uint32_t table_version(Borrows borrows) { return borrows == Borrows::cells ? 2 : 1; }

Segment read_segment(std::string_view bytes, std::size_t at, std::uint32_t map_version) {
  Segment out;
  out.number = number_at<std::uint64_t>(bytes, at);
  out.size = ByteCount(number_at<std::uint64_t>(bytes, at + 8));
  out.cells = number_at<std::uint64_t>(bytes, at + 16);
  out.named = number_at<std::uint64_t>(bytes, at + 24);
  bytes_at(bytes, at + 32, out.blocks.bytes);
  bytes_at(bytes, at + 64, out.names.bytes);
  if (map_version < version) return out;
  out.borrowed = number_at<std::uint64_t>(bytes, at + 96);
  out.borrow_size = ByteCount(number_at<std::uint64_t>(bytes, at + 104));
  bytes_at(bytes, at + 112, out.borrow.bytes);
  return out;
}

Mistakes wrong_with_segments(const std::vector<Segment>& segments) {
  Mistakes mistakes;
  std::uint64_t cells = 0;
  std::uint64_t named = 0;
  std::uint64_t borrowed = 0;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const auto& each = segments[i];
    const auto where = "map, segment " + std::to_string(i);
    if (each.cells > most_cells || each.named > each.cells || each.named > PageIndex::most ||
        each.size.value > largest_stream || each.borrow_size.value > largest_borrow_table ||
        each.borrowed > each.named || (each.borrowed == 0) != (each.borrow_size.value == 0)) {
      mistakes.push_back({where, "its sizes are impossible"});
      continue;
    }
    cells += each.cells;
    named += each.named;
    borrowed += each.borrowed;
    const auto tables = skippable_head_size + block_table_size(each) + each.borrow_size.value +
                        name_table_size(each);
    if (each.size.value < tables ||
        each.size.value - tables > each.block_count() * largest_page_frame ||
        (each.borrowed == 0 && each.size.value - tables < each.block_count()))
      mistakes.push_back({where, "its size does not fit its cells"});
    for (std::size_t other = 0; other < i; ++other)
      if (segments[other].number == each.number) mistakes.push_back({where, "it is named twice"});
    if (each.number > segments.front().number)
      mistakes.push_back({where, "it is of a later generation"});
  }
  if (cells > most_cells) mistakes.push_back({"map", "its segments have too many cells"});
  if (borrowed > 0 && named > PageIndex::most)
    mistakes.push_back({"map", "its segments have too many names"});
  return mistakes;
}

Mistakes wrong_with_recipe(const PageMap& map) {
  BlockWalk walk(map);
  ReadLimit limit;
  std::uint64_t size = 0;
  while (const auto part = walk.next()) {
    size += stream_size_of(part->step);
    if (size > map.stream_size.value) return {{"map", "its recipe makes more than its stream"}};
    limit.made(stream_size_of(part->step));
    for (auto missed = part->missed(); missed > 0; --missed) limit.load();
    if (limit.is_exceeded()) return {{"map", "its recipe needs too much reading"}};
  }
  if (walk.is_broken()) return {{"map", "its recipe makes no sense"}};
  if (size != map.stream_size.value) return {{"map", "its recipe makes less than its stream"}};
  if (walk.fresh() != map.segments.front().cells)
    return {{"map", "its recipe leaves cells of its own segment out"}};
  return {};
}

}  // namespace

bool PageMap::borrows() const {
  return std::ranges::any_of(segments, [](const Segment& each) { return each.borrowed > 0; });
}

std::string write_page_map(const PageMap& map) {
  std::string out(map_magic);
  const auto written = map.borrows() ? version : version_without_borrowed;
  put_number(out, written);
  put_number(out, static_cast<std::uint32_t>(map.segments.size()));
  put_number(out, map.stream_size.value);
  put_number(out, static_cast<std::uint64_t>(map.recipe.size()));
  put_bytes(out, map.key.bytes);
  for (const auto& segment : map.segments) {
    put_number(out, segment.number);
    put_number(out, segment.size.value);
    put_number(out, segment.cells);
    put_number(out, segment.named);
    put_bytes(out, segment.blocks.bytes);
    put_bytes(out, segment.names.bytes);
    if (written < version) continue;
    put_number(out, segment.borrowed);
    put_number(out, segment.borrow_size.value);
    put_bytes(out, segment.borrow.bytes);
  }
  return out + packed(map.recipe);
}

Result<PageMap> read_page_map(std::string_view bytes) {
  if (bytes.size() < head_size || bytes.substr(0, map_magic.size()) != map_magic)
    return mistake("map", "this is no map of pages");
  const auto found = number_at<std::uint32_t>(bytes, 8);
  if (found < 1 || found > version)
    return mistake("map", "version " + std::to_string(found) + " is not known, only 1 to 3 are");
  const auto entry = entry_size(found);
  const std::size_t count = number_at<std::uint32_t>(bytes, 12);
  if (count == 0 || count > most_segments || bytes.size() < head_size + count * entry)
    return mistake("map", "its number of segments is impossible");
  PageMap map;
  map.stream_size = ByteCount(number_at<std::uint64_t>(bytes, 16));
  if (map.stream_size.value > largest_stream) return mistake("map", "its stream is too long");
  bytes_at(bytes, 32, map.key.bytes);
  for (std::size_t i = 0; i < count; ++i)
    map.segments.push_back(read_segment(bytes, head_size + i * entry, found));
  if (auto mistakes = wrong_with_segments(map.segments); !mistakes.empty())
    return tl::unexpected(std::move(mistakes));
  auto recipe =
      unpacked(bytes.substr(head_size + count * entry), number_at<std::uint64_t>(bytes, 24));
  if (!recipe) return tl::unexpected(std::move(recipe.error()));
  map.recipe = std::move(*recipe);
  if (auto mistakes = wrong_with_recipe(map); !mistakes.empty())
    return tl::unexpected(std::move(mistakes));
  return map;
}

std::size_t block_table_size(const Segment& segment) {
  return table_head_size + segment.block_count() * block_size;
}

std::size_t name_table_size(const Segment& segment) { return segment.named * name_size; }

std::uint64_t name_table_at(const Segment& segment) {
  return segment.size.value - name_table_size(segment);
}

std::uint64_t borrow_table_at(const Segment& segment) {
  return name_table_at(segment) - segment.borrow_size.value;
}

std::uint64_t block_table_at(const Segment& segment) {
  return borrow_table_at(segment) - block_table_size(segment);
}

std::uint64_t end_of_blocks(const Segment& segment) {
  return block_table_at(segment) - skippable_head_size;
}

std::string write_block_table(const std::vector<PageBlock>& blocks, Borrows borrows) {
  std::string out(table_magic);
  put_number(out, table_version(borrows));
  put_number(out, static_cast<std::uint32_t>(blocks.size()));
  for (const auto& block : blocks) {
    put_number(out, block.packed_size);
    put_bytes(out, block.digest.bytes);
  }
  return out;
}

std::string write_name_table(std::span<const ContentName> names) {
  std::string out;
  out.reserve(names.size() * name_size);
  for (const auto& name : names) put_bytes(out, name.bytes);
  return out;
}

std::string write_table_frame(std::size_t tables_size) {
  std::string out;
  put_number(out, skippable_magic);
  put_number(out, static_cast<std::uint32_t>(tables_size));
  return out;
}

Result<std::vector<PageBlock>> read_block_table(std::string_view bytes, const Segment& segment) {
  const auto count = segment.block_count();
  const auto borrows = segment.borrowed > 0 ? Borrows::cells : Borrows::nothing;
  if (bytes.size() != block_table_size(segment) ||
      bytes.substr(0, table_magic.size()) != table_magic ||
      number_at<std::uint32_t>(bytes, 8) != table_version(borrows) ||
      number_at<std::uint32_t>(bytes, 12) != count)
    return mistake("segment", "its table is not one of its version and size");
  std::vector<PageBlock> out(count);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto at = table_head_size + i * block_size;
    out[i].packed_size = number_at<std::uint32_t>(bytes, at);
    bytes_at(bytes, at + 4, out[i].digest.bytes);
    if ((out[i].packed_size == 0 && borrows == Borrows::nothing) ||
        out[i].packed_size > largest_page_frame)
      return mistake("segment", "the size of a block is impossible");
    sum += out[i].packed_size;
  }
  if (sum != end_of_blocks(segment)) return mistake("segment", "its blocks do not add up");
  return out;
}

std::vector<ContentName> read_name_table(std::string_view bytes) {
  std::vector<ContentName> out(bytes.size() / name_size);
  for (std::size_t i = 0; i < out.size(); ++i) bytes_at(bytes, i * name_size, out[i].bytes);
  return out;
}

}  // namespace satchel::hibernation
