// First inputs of what is about a machine's memory.
#include <span>

#include "fuzz/first_inputs.hpp"
#include "fuzz/generations.hpp"
#include "fuzz/stretch.hpp"
#include "hibernation/borrow_table.hpp"
#include "hibernation/codec_map.hpp"
#include "hibernation/recipe.hpp"
#include "hibernation/save_image.hpp"

namespace satchel::fuzz {

using namespace hibernation;

namespace {

// The codes of stretched(), in stretch.cpp.
constexpr unsigned start = 0x80, setup = 0x81, part = 0x82, named_page = 0x83, page = 0x84,
                   pages = 0x85, fills = 0x86, end_part = 0x87, bare = 0x88, like = 0x89,
                   zeros = 0x8a, next_stream = 0xff;

/// A machine's stream, whose pages begin with this one.
std::string machine(unsigned first) {
  return coded({start, setup, 1,         part,  named_page, 0,     0,        first, pages, 1,
                0,     30,    first + 1, fills, 40,         0,     20,       page,  90,    0,
                0,     pages, 100,       0,     9,          first, end_part, bare,  200,   zeros}) +
         coded({4, 't', 'a', 'i', 'l', '.'});
}

void add_streams(const FirstInputs& to) {
  const auto first = machine(1);
  to.add("stream", "one", coded({0, 255}) + first);
  const auto changed =
      coded({start, setup, 1, part, named_page, 0, 0,  1, pages, 1,     0,  20, 2, like, 22,      0,
             23,    1,     0, like, 23,         0, 24, 7, 9,     pages, 24, 0,  9, 120,  end_part});
  to.add("stream", "same_again", coded({0, 255}) + first + coded({next_stream}) + first);
  to.add("stream", "differences",
         coded({2, 255}) + first + coded({next_stream}) + changed + coded({next_stream}) + changed);
  to.add("stream", "borrowed",
         coded({7, 255, 120, 30}) + first + coded({next_stream}) + changed + coded({next_stream}) +
             changed);
  to.add("stream", "borrowed_and_written",
         coded({3, 3, 1, 40}) + first + coded({next_stream}) + machine(5) + coded({next_stream}) +
             first);
  to.add("parser", "whole", coded({255}) + first);
  to.add("parser", "bytes_at_a_time", coded({1}) + changed);
}

std::string recipe_of_all() {
  RecipeWriter out;
  out.text(bytes_of("some text"));
  out.fill(5, 3);
  out.zeros(Framing::record, 8);
  out.fresh(Framing::record, 9);
  out.fresh(Framing::bare, 0);
  out.known(Framing::record, 90, {1, 3});
  out.fresh_difference(Framing::record, 10, {1, 4});
  out.known_difference(Framing::record, 11, {1, 5}, {0, 1});
  return out.finish();
}

void add_maps(const FirstInputs& to) {
  Generations generations;
  Generations::Use use{
      .base = 0, .compares = true, .at_once = 9999, .written_from = 1, .written_count = 10};
  for (std::uint64_t number = 1; number <= 3; ++number) {
    const auto text = machine(static_cast<unsigned>(number * 4));
    Input input(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    generations.encode(number, stretched(input), use);
    use.base = number;
    to.add("map", ("generation_" + std::to_string(number)).c_str(),
           coded({0}) + generations.map(number));
  }
  BlockTable table;
  table.add({100, 4096, digest_of("a")});
  table.add({90, 300, digest_of("b")});
  to.add("map", "of_blocks", coded({0}) + write_map(table));
  const auto recipe = recipe_of_all();
  to.add("recipe", "all_steps", coded({1}) + recipe);
  // Of 3 cells in the own segment, which is 140 bytes, and 20 in another; 29 bytes of text and
  // what the other steps make.
  const std::uint64_t stream = 9 + 3 * 9 + 4104 + 4104 + 4096 + 3 * 4104;
  const auto segment = [](unsigned number, unsigned cells) {
    return coded({number}) + coded(200, 3) + coded(cells, 2) + coded(0, 4);
  };
  to.add("map", "by_hand",
         coded({1}) + coded(stream, 5) + coded({1}) + segment(7, 3) + segment(3, 20) + recipe);
}

void add_tables(const FirstInputs& to) {
  BorrowTable table({"vda", "vdb"});
  for (std::uint64_t i = 0; i < 40; ++i) table.add(2 * i, {static_cast<std::uint32_t>(i % 2), i});
  for (std::uint64_t i = 0; i < 40; ++i) table.add(100 + i, {0, 5000 + i});
  to.add("borrow_table", "two_disks", coded(200, 4) + table.write());
}

void add_containers(const FirstInputs& to) {
  const std::string ending = "{\"page_size\": 4096}";
  auto image = write_save_header("<domain/>", SavedAs::paused) + "QEVM" + std::string("\0\6", 2) +
               std::string("\0\0\0", 3) + static_cast<char>(ending.size()) + ending;
  to.add("save_header", "finished", image);
  image.replace(12, 4, "Part");
  to.add("save_header", "unfinished", image);
}

void add_devices(const FirstInputs& to) {
  // how; the segment's how, cells, runs, for each block: how its frame is made, its first page.
  const auto own = coded({0, 20, 0, 0, 0, 1});
  to.add("segment", "own_alone", coded({0}) + own);
  const auto other = coded({0}) + coded(300, 2) + coded({0, 0, 1, 0, 9});
  RecipeWriter recipe;
  for (std::uint64_t i = 0; i < 5; ++i) recipe.fresh(Framing::record, i);
  for (std::uint64_t i = 0; i < 60; ++i) recipe.known(Framing::record, 9 + i, {1, 230 + i});
  for (std::uint64_t i = 0; i < 5; ++i) recipe.fresh_difference(Framing::bare, 0, {1, i});
  recipe.text(bytes_of("text"));
  recipe.zeros(Framing::bare, 0);
  recipe.fill(100, 7);
  const auto steps = recipe.finish();
  to.add("segment", "two", coded({1}) + own + other + steps);
  for (unsigned made = 1; made < 10; ++made)
    to.add("segment", ("frame_" + std::to_string(made)).c_str(),
           coded({1}) + coded({0, 20, 0, 0, made, 1, 1, 1, 1}) + other + steps);
  const auto add_wrong = [&](const char* name, std::initializer_list<unsigned> segment) {
    to.add("segment", name, coded({1}) + coded(segment) + other + steps);
  };
  add_wrong("wrong_borrow_table", {1, 20, 0, 3, 1, 2, 3, 0, 1});
  add_wrong("wrong_block_table", {2, 20, 0, 0, 0, 1, 20, 0, 4});
  add_wrong("wrong_size", {4, 20, 0, 0, 0, 1, 1, 0});
  add_wrong("wrong_table_behind", {8, 20, 0, 0, 0, 1, 30, 0, 5});
  add_wrong("cut_off", {16, 20, 0, 0, 0, 1, 100, 0, 0});
  add_wrong("few_names", {32, 20, 0, 5, 0, 0, 0, 1});
  add_wrong("wrong_borrowed_name", {64, 20, 0, 1, 3, 7, 0, 0, 5, 0, 1, 0});
  to.add("segment", "borrowed",
         coded({1}) + coded({0, 20, 0, 2, 3, 7, 0, 0, 5, 1, 90, 0, 1, 3, 0, 1}) + other + steps);
  to.add("blocks", "two",
         coded({0, 2}) + coded(4000, 2) + coded({0, 1}) + coded(9, 2) + coded({0, 7}));
  for (unsigned made = 1; made < 10; ++made)
    to.add("blocks", ("frame_" + std::to_string(made)).c_str(),
           coded({0, 2, 200, 20, 0, 1, 200, 1, made, 3, 5, 5, 5}));
}

}  // namespace

void add_memories(const FirstInputs& to) {
  add_streams(to);
  add_maps(to);
  add_tables(to);
  add_containers(to);
  add_devices(to);
}

}  // namespace satchel::fuzz
