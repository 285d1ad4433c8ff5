#include "fuzz/device.hpp"

#include <algorithm>
#include <utility>

#include "fuzz/frames.hpp"
#include "fuzz/stretch.hpp"
#include "hibernation/block_walk.hpp"
#include "hibernation/stream_parser.hpp"
#include "hibernation/varint.hpp"

namespace satchel::fuzz {

using namespace hibernation;

namespace {

constexpr ContentKey key{{7}};

/// One byte of each, where the input says so.
enum class Wrong : unsigned {
  borrow_table = 1,  ///< is the input's own bytes
  block_table = 2,   ///< has a byte changed
  size = 4,          ///< as the map says it
  table_behind = 8,  ///< a byte of the tables is changed behind their digests
  cut_off = 16,
  named = 32,         ///< fewer cells have names
  borrowed_name = 64  ///< a borrowed cell has another name than its page
};

bool is(std::uint8_t how, Wrong what) { return (how & static_cast<unsigned>(what)) != 0; }

std::string disk_page(std::uint64_t page) {
  return page_of(static_cast<std::uint32_t>(page & 0xff));
}

std::string borrows_from(Input& input, std::uint64_t named) {
  BorrowTable table({"vda", "vdb"});
  std::uint64_t cell = 0;
  for (auto runs = input.byte() % 4U; runs > 0; --runs) {
    cell += input.byte();
    const auto page = input.number(2);
    const auto disk = input.byte() % 2U;
    for (auto count = 1U + input.byte() % 16U; count > 0 && cell < named; --count, ++cell)
      table.add(cell, {disk, page + count});
  }
  return table.empty() ? std::string() : table.write();
}

class SegmentMaker {
 public:
  SegmentMaker(Input& input, std::uint64_t number) : input_(input) {
    out_.said.number = number;
    how_ = input_.byte();
    out_.said.cells = input_.number(2) % 700;
    out_.said.named = out_.said.cells;
    if (is(how_, Wrong::named)) out_.said.named = input_.number(2) % (out_.said.cells + 1);
    out_.cells.resize(out_.said.cells);
  }

  HostileSegment run() {
    borrow();
    pack_blocks();
    write_tables();
    spoil();
    return std::move(out_);
  }

 private:
  void borrow() {
    auto& said = out_.said;
    const bool by_hand = is(how_, Wrong::borrow_table);
    borrow_table_ =
        by_hand ? std::string(input_.take(input_.byte())) : borrows_from(input_, said.named);
    if (borrow_table_.empty()) return;
    said.borrow_size = ByteCount(borrow_table_.size());
    said.borrow = digest_of(borrow_table_);
    auto read = BorrowTable::read(borrow_table_, said.named);
    if (read) borrows_ = std::move(*read);
    said.borrowed = read ? borrows_.count() : 1;
    if (!read) out_.is_sound = false;
  }

  /// The block's cells that its frame holds.
  std::vector<std::uint64_t> stored_in(std::uint64_t block) const {
    std::vector<std::uint64_t> out;
    const auto first = block * cells_in_block;
    for (auto cell = first; cell < first + out_.said.cells_of(block); ++cell)
      if (!borrows_.at(cell)) out.push_back(cell);
    return out;
  }

  void pack_blocks() {
    is_readable_.assign(out_.said.block_count(), true);
    for (std::uint64_t block = 0; block < out_.said.block_count(); ++block) {
      const auto stored = stored_in(block);
      if (stored.empty()) {
        blocks_.emplace_back();
        continue;
      }
      const auto frame = frame_from(input_, stored.size() * page_size);
      blocks_.push_back({static_cast<std::uint32_t>(frame.bytes.size()), frame.digest});
      out_.file += frame.bytes;
      is_readable_[block] = frame.content.has_value();
      if (!frame.content) continue;
      for (std::size_t i = 0; i < stored.size(); ++i)
        out_.cells[stored[i]] = frame.content->substr(i * page_size, page_size);
    }
    for (std::uint64_t cell = 0; cell < out_.cells.size(); ++cell)
      if (const auto from = borrows_.at(cell); from && is_readable_[cell / cells_in_block])
        out_.cells[cell] = disk_page(from->page);
  }

  std::vector<ContentName> names() {
    std::vector<ContentName> out;
    for (std::uint64_t cell = 0; cell < out_.said.named; ++cell)
      out.push_back(content_name(key, bytes_of(out_.cells[cell].value_or(""))));
    if (!is(how_, Wrong::borrowed_name) || borrows_.empty()) return out;
    const auto& runs = borrows_.runs();
    const auto cell = runs[input_.byte() % runs.size()].cell;
    out[cell].bytes[0] ^= 1;
    out_.cells[cell].reset();
    return out;
  }

  void write_tables() {
    auto block_table =
        write_block_table(blocks_, out_.said.borrowed > 0 ? Borrows::cells : Borrows::nothing);
    if (is(how_, Wrong::block_table)) change(block_table);
    const auto name_table = write_name_table(names());
    out_.said.blocks = digest_of(block_table);
    out_.said.names = digest_of(name_table);
    tables_at_ = out_.file.size();
    out_.file += write_table_frame(block_table.size() + borrow_table_.size() + name_table.size());
    out_.file += block_table + borrow_table_ + name_table;
  }

  void spoil() {
    out_.said.size = ByteCount(out_.file.size());
    if (is(how_, Wrong::size)) out_.said.size.value += input_.number(2);
    if (is(how_, Wrong::table_behind)) {
      auto tables = out_.file.substr(tables_at_);
      change(tables);
      out_.file.replace(tables_at_, tables.size(), tables);
    }
    if (is(how_, Wrong::cut_off)) out_.file.resize(input_.number(3) % out_.file.size());
    if ((how_ & 31U) != 0) out_.is_sound = false;
  }

  void change(std::string& bytes) {
    bytes[input_.number(2) % bytes.size()] ^= static_cast<char>(1 + input_.byte() % 255);
  }

  Input& input_;
  std::uint8_t how_ = 0;
  HostileSegment out_;
  std::string borrow_table_;
  BorrowTable borrows_;
  std::vector<PageBlock> blocks_;
  std::vector<bool> is_readable_;  ///< of each block, its frame
  std::size_t tables_at_ = 0;
};

/// Names what the recipe has left of the own segment, and says what it makes.
void complete(PageMap& map) {
  const auto own = map.segments.front().cells;
  RecipeReader reader(map.recipe, map.segments.size());
  while (reader.next()) {
  }
  if (!reader.is_broken() && reader.fresh() < own) {
    put_varint(map.recipe, 6);
    put_varint(map.recipe, own - reader.fresh());
  }
  BlockWalk walk(map);
  while (const auto part = walk.next()) map.stream_size.value += stream_size_of(part->step);
}

void put_header(std::string& out, std::uint64_t header) {
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(header >> shift & 0xff);
}

}  // namespace

SegmentOpener HostileDevice::opener() const {
  return [this](const Segment& segment) {
    for (const auto& each : segments)
      if (each.said.number == segment.number) return file_of(each.file);
    must(false, "only segments that the map names are opened");
    return UniqueFd();
  };
}

DiskReader HostileDevice::disks() {
  return [](const std::string&, std::uint64_t offset, std::span<std::byte> out) {
    must(offset % page_size == 0 && out.size() % page_size == 0, "a disk is read in whole pages");
    for (std::size_t at = 0; at < out.size(); at += page_size)
      std::ranges::copy(bytes_of(disk_page((offset + at) / page_size)), out.subspan(at).begin());
  };
}

HostileDevice::Stream HostileDevice::stream() const {
  Stream out{{}, true};
  RecipeReader reader(map.recipe, map.segments.size());
  while (const auto step = reader.next()) {
    out.bytes += step->text;
    if (step->kind == RecipeStep::Kind::text) continue;
    for (std::uint64_t i = 0; i < step->count; ++i) {
      if (step->kind == RecipeStep::Kind::fill) {
        put_header(out.bytes, fill_header(step->address + i));
        out.bytes += '\0';
        continue;
      }
      std::optional<std::string> page(std::in_place, page_size, '\0');
      if (is_of_cells(*step)) page = segments[step->segment].cells[step->cell + i];
      if (page && step->kind == RecipeStep::Kind::differences) {
        const auto& below = segments[step->below_segment].cells[step->below_cell + i];
        if (!below) page.reset();
        for (std::size_t at = 0; page && at < page_size; ++at) (*page)[at] ^= (*below)[at];
      }
      if (!page) {
        out.is_whole = false;
        return out;
      }
      if (step->framing == Framing::record) put_header(out.bytes, record_header(step->address + i));
      out.bytes += *page;
    }
  }
  return out;
}

HostileDevice device_from(Input& input) {
  HostileDevice out;
  const auto how = input.byte();
  for (std::uint64_t i = 0; i <= how % 3U; ++i) {
    out.segments.push_back(SegmentMaker(input, 10 - i).run());
    out.map.segments.push_back(out.segments.back().said);
    out.is_sound = out.is_sound && out.segments.back().is_sound;
  }
  out.map.key = key;
  if (how & 0x80U) out.map.stream_size = ByteCount(input.number(3));
  out.map.recipe = input.rest();
  if ((how & 0x80U) == 0) complete(out.map);
  return out;
}

}  // namespace satchel::fuzz
