#include "hibernation/codec_map.hpp"

#include "hibernation/little_endian.hpp"

namespace satchel::hibernation {

namespace {

constexpr std::string_view magic = "SATCHMAP";
constexpr std::uint32_t version = 1;
constexpr std::size_t head_size = 32;
constexpr std::size_t entry_size = 40;

}  // namespace

void BlockTable::add(const BlockEntry& block) {
  blocks.push_back(block);
  stream_size = stream_size + ByteCount(block.raw_size);
  pages_size = pages_size + ByteCount(block.packed_size);
}

std::string write_map(const BlockTable& table) {
  std::string out(magic);
  out.reserve(head_size + table.blocks.size() * entry_size);
  put_number(out, version);
  put_number(out, static_cast<std::uint32_t>(table.blocks.size()));
  put_number(out, table.stream_size.value);
  put_number(out, table.pages_size.value);
  for (const auto& block : table.blocks) {
    put_number(out, block.packed_size);
    put_number(out, block.raw_size);
    put_bytes(out, block.digest.bytes);
  }
  return out;
}

Result<BlockTable> read_map(std::string_view map) {
  if (map.size() < head_size || map.substr(0, magic.size()) != magic)
    return mistake("map", "this is no map of a hibernation file");
  if (const auto found = number_at<std::uint32_t>(map, 8); found != version)
    return mistake("map", "version " + std::to_string(found) + " is not known, only version 1 is");
  const std::size_t count = number_at<std::uint32_t>(map, 12);
  if (count > most_blocks) return mistake("map", "it names too many blocks");
  if (map.size() != head_size + count * entry_size)
    return mistake("map", "its size does not fit its " + std::to_string(count) + " blocks");

  BlockTable table;
  table.blocks.reserve(count);
  Mistakes mistakes;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = head_size + i * entry_size;
    BlockEntry block{number_at<std::uint32_t>(map, at), number_at<std::uint32_t>(map, at + 4), {}};
    bytes_at(map, at + 8, block.digest.bytes);
    if (block.raw_size == 0 || block.raw_size > largest_raw_block || block.packed_size == 0 ||
        block.packed_size > largest_packed_block)
      mistakes.push_back({"map, block " + std::to_string(i), "its size is impossible"});
    table.add(block);
  }
  if (table.stream_size.value != number_at<std::uint64_t>(map, 16) ||
      table.pages_size.value != number_at<std::uint64_t>(map, 24))
    mistakes.push_back({"map", "the blocks do not add up to its sizes"});
  if (!mistakes.empty()) return tl::unexpected(std::move(mistakes));
  return table;
}

}  // namespace satchel::hibernation
