#include "hibernation/page_assembler.hpp"

#include <utility>

#include "base/fault.hpp"
#include "hibernation/differences.hpp"

namespace satchel::hibernation {

namespace {

constexpr std::size_t output_size = 1U << 20;
constexpr std::array<std::byte, page_size> zeros{};

}  // namespace

Assembler::Assembler(const PageMap& map, const Sink& out) : walk_(map), out_(out) {
  buffer_.reserve(output_size + record_size);
}

void Assembler::go_on() {
  while (const auto part = walk_.next()) {
    if (part->missed() > 0) {
      waiting_ = part;
      return;
    }
    write(*part);
  }
  flush();
}

void Assembler::take(LoadedBlock& block) {
  // What stands below is needed first.
  auto* needed = !waiting_                      ? nullptr
                 : waiting_->below.place.missed ? &waiting_->below
                                                : &waiting_->cells;
  if (needed == nullptr || needed->block != block.id)
    throw Fault(Remedy::report_bug, {"restore", "the machine's memory", "blocks are mixed up", {}});
  shelf_[needed->place.slot].swap(block.cells);
  needed->place.missed = false;
  if (waiting_->missed() > 0) return;
  write(*std::exchange(waiting_, std::nullopt));
  go_on();
}

void Assembler::write(const BlockWalk::Part& part) {
  const auto& step = part.step;
  switch (step.kind) {
    case RecipeStep::Kind::text:
      return put(std::as_bytes(std::span(step.text)));
    case RecipeStep::Kind::fill:
      for (std::uint64_t i = 0; i < step.count; ++i) {
        put_header(fill_header(step.address + i));
        put(std::span(zeros).first(1));
      }
      return;
    case RecipeStep::Kind::zeros:
      for (std::uint64_t i = 0; i < step.count; ++i) write_page(step, i, zeros);
      return;
    case RecipeStep::Kind::cells:
      for (std::uint64_t i = 0; i < step.count; ++i) write_page(step, i, cell(part.cells, i));
      return;
    case RecipeStep::Kind::differences:
      for (std::uint64_t i = 0; i < step.count; ++i) {
        combine(cell(part.cells, i), cell(part.below, i), combined_);
        write_page(step, i, combined_);
      }
  }
}

std::span<const std::byte> Assembler::cell(const BlockWalk::Part::Cells& cells,
                                           std::uint64_t i) const {
  return std::span(shelf_[cells.place.slot]).subspan((cells.first + i) * page_size, page_size);
}

void Assembler::write_page(const RecipeStep& step, std::uint64_t i,
                           std::span<const std::byte> page) {
  if (step.framing == Framing::record) put_header(record_header(step.address + i));
  put(page);
}

void Assembler::put_header(std::uint64_t header) {
  std::array<std::byte, header_size> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::byte>(header >> (8 * (bytes.size() - 1 - i)));
  put(bytes);
}

void Assembler::put(std::span<const std::byte> bytes) {
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  if (buffer_.size() >= output_size) flush();
}

void Assembler::flush() {
  if (buffer_.empty()) return;
  out_(buffer_);
  made_ += buffer_.size();
  buffer_.clear();
}

}  // namespace satchel::hibernation
