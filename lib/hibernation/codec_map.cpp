#include "hibernation/codec_map.hpp"

#include <cstring>

namespace satchel::hibernation {

namespace {

constexpr std::string_view magic = "SATCHMAP";
constexpr std::uint32_t version = 1;
constexpr std::size_t head_size = 32;
constexpr std::size_t entry_size = 40;

template <class Number>
void put(std::string& out, Number value) {
  for (std::size_t i = 0; i < sizeof value; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

template <class Number>
Number get(std::string_view bytes, std::size_t offset) {
  Number value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i)
    value |= static_cast<Number>(static_cast<unsigned char>(bytes[offset + i])) << (8 * i);
  return value;
}

}  // namespace

void BlockTable::add(const BlockEntry& block) {
  blocks.push_back(block);
  stream_size = stream_size + ByteCount(block.raw_size);
  pages_size = pages_size + ByteCount(block.packed_size);
}

std::string write_map(const BlockTable& table) {
  std::string out(magic);
  out.reserve(head_size + table.blocks.size() * entry_size);
  put(out, version);
  put(out, static_cast<std::uint32_t>(table.blocks.size()));
  put(out, table.stream_size.value);
  put(out, table.pages_size.value);
  for (const auto& block : table.blocks) {
    put(out, block.packed_size);
    put(out, block.raw_size);
    out.append(reinterpret_cast<const char*>(block.digest.bytes.data()), block.digest.bytes.size());
  }
  return out;
}

Result<BlockTable> read_map(std::string_view map) {
  if (map.size() < head_size || map.substr(0, magic.size()) != magic)
    return mistake("map", "this is no map of a hibernation file");
  if (const auto found = get<std::uint32_t>(map, 8); found != version)
    return mistake("map", "version " + std::to_string(found) + " is not known, only version 1 is");
  const std::size_t count = get<std::uint32_t>(map, 12);
  if (count > most_blocks) return mistake("map", "it names too many blocks");
  if (map.size() != head_size + count * entry_size)
    return mistake("map", "its size does not fit its " + std::to_string(count) + " blocks");

  BlockTable table;
  table.blocks.reserve(count);
  Mistakes mistakes;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = head_size + i * entry_size;
    BlockEntry block{get<std::uint32_t>(map, at), get<std::uint32_t>(map, at + 4), {}};
    std::memcpy(block.digest.bytes.data(), map.data() + at + 8, block.digest.bytes.size());
    if (block.raw_size == 0 || block.raw_size > largest_raw_block || block.packed_size == 0 ||
        block.packed_size > largest_packed_block)
      mistakes.push_back({"map, block " + std::to_string(i), "its size is impossible"});
    table.add(block);
  }
  if (table.stream_size.value != get<std::uint64_t>(map, 16) ||
      table.pages_size.value != get<std::uint64_t>(map, 24))
    mistakes.push_back({"map", "the blocks do not add up to its sizes"});
  if (!mistakes.empty()) return tl::unexpected(std::move(mistakes));
  return table;
}

}  // namespace satchel::hibernation
