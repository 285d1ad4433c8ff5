// The map of a generation's memory, of both codecs: it tells its reader what to load, so what it
// may say is bounded. With the first byte odd, the recipe is what the input ends with and is packed
// first, for no fuzzer makes a zstd frame.
#include <string>

#include "fuzz/input.hpp"
#include "hibernation/alive_cells.hpp"
#include "hibernation/block_walk.hpp"
#include "hibernation/codec_map.hpp"
#include "hibernation/page_codec.hpp"
#include "hibernation/page_map.hpp"
#include "hibernation/read_limit.hpp"

using namespace satchel;
using namespace satchel::fuzz;
using namespace satchel::hibernation;

namespace {

void check_walk(const PageMap& map) {
  BlockWalk walk(map);
  ReadLimit limit;
  std::uint64_t parts = 0;
  std::uint64_t made = 0;
  while (const auto part = walk.next()) {
    ++parts;
    made += stream_size_of(part->step);
    limit.made(stream_size_of(part->step));
    for (auto missed = part->missed(); missed > 0; --missed) limit.load();
    if (!is_of_cells(part->step)) continue;
    const auto& segment = map.segments[part->cells.block.segment];
    must(part->cells.first + part->step.count <= cells_in_block &&
             part->cells.block.block * cells_in_block + part->cells.first + part->step.count <=
                 segment.cells,
         "a part is within one block of its segment");
  }
  must(!walk.is_broken() && made == map.stream_size.value, "an accepted recipe makes its stream");
  must(!limit.is_exceeded(), "what has to be read is in proportion to the stream");
  // A step is a byte at least, and a block of cells 1 MiB of stream, twice for differences.
  must(parts <= 3 * map.recipe.size() + 2 * (made >> 20), "a walk is bounded");
}

void check_pages(std::string_view bytes) {
  const auto map = read_page_map(bytes);
  if (!map) return;
  ++accepted();
  check_walk(*map);
  const auto again = read_page_map(write_page_map(*map));
  must(again && again->key == map->key && again->stream_size == map->stream_size &&
           again->segments == map->segments && again->recipe == map->recipe,
       "a map that was written reads the same");
  for (const auto kept : worth_keeping(*map, alive_cells(*map)))
    must(kept < map->segments.size(), "what is worth keeping is there");
  must(!is_compact(*map) || map->segments.size() == 1, "what is compact is in one segment");
  worn(*map);
}

void check_blocks(std::string_view bytes) {
  const auto table = read_map(bytes);
  if (!table) return;
  ++accepted();
  must(write_map(*table) == bytes, "there is one way to write a map of blocks");
}

Segment segment_from(Input& input) {
  Segment out;
  out.number = input.number(1);
  out.size = ByteCount(input.number(3));
  out.cells = input.number(2);
  out.named = input.number(2);
  out.borrowed = input.number(1);
  out.borrow_size = ByteCount(input.number(1));
  return out;
}

std::string written_from(Input& input) {
  PageMap map;
  map.stream_size = ByteCount(input.number(5));
  for (auto count = 1 + input.byte() % 4; count > 0; --count)
    map.segments.push_back(segment_from(input));
  map.recipe = input.rest();
  return write_page_map(map);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  if (input.byte() % 2 == 1) {
    check_pages(written_from(input));
    return 0;
  }
  check_pages(input.rest());
  check_blocks(input.rest());
  return 0;
}
