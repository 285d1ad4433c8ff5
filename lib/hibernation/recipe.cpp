#include "hibernation/recipe.hpp"

#include <utility>

#include "hibernation/varint.hpp"

namespace satchel::hibernation {

namespace {

// The first byte of each step. The framing is added to the last five.
constexpr std::uint8_t code_text = 0;
constexpr std::uint8_t code_fill = 1;
constexpr std::uint8_t code_address = 2;
constexpr std::uint8_t code_zeros = 4;
constexpr std::uint8_t code_fresh = 6;
constexpr std::uint8_t code_known = 8;
constexpr std::uint8_t code_fresh_difference = 10;
constexpr std::uint8_t code_known_difference = 12;
constexpr std::uint8_t first_unknown_code = 14;

constexpr std::uint64_t largest_address = std::uint64_t{1} << 52;
constexpr std::uint64_t largest_count = std::uint64_t{1} << 40;

std::uint8_t with(std::uint8_t code, Framing framing) {
  return static_cast<std::uint8_t>(code + (framing == Framing::record ? 1 : 0));
}

bool has_records(std::uint8_t code) {
  return code == code_fill || (code >= code_zeros && code % 2 == 1);
}

bool names_cell(std::uint64_t code) {
  const auto kind = code & ~std::uint64_t{1};
  return kind == code_known || kind == code_known_difference;
}

bool names_below(std::uint64_t code) { return code >= code_fresh_difference; }

std::uint64_t& at(std::vector<std::uint64_t>& cells, std::uint32_t segment) {
  if (segment >= cells.size()) cells.resize(segment + 1, 0);
  return cells[segment];
}

}  // namespace

void RecipeWriter::put(std::uint64_t number) { put_varint(out_, number); }

void RecipeWriter::flush() {
  if (run_.count == 0) return;
  if (has_records(code_)) {
    if (run_.address != next_address_) {
      put(code_address);
      put(run_.address);
    }
    next_address_ = run_.address + run_.count;
  }
  put(code_);
  const auto name = [&](std::vector<std::uint64_t>& nexts, std::uint32_t segment,
                        std::uint64_t cell) {
    put(segment);
    auto& next = at(nexts, segment);
    put(zigzag_of(next, cell));
    next = cell + run_.count;
  };
  if (names_cell(code_)) name(next_cell_, run_.segment, run_.cell);
  if (names_below(code_)) name(next_below_, run_.below_segment, run_.below_cell);
  put(run_.count);
  run_.count = 0;
}

/// Begins a run, or makes the one that it continues longer.
void RecipeWriter::run(RecipeStep next, std::uint8_t code) {
  const bool continues = run_.count > 0 && code == code_ &&
                         (!has_records(code) || next.address == run_.address + run_.count) &&
                         (!names_cell(code) ||
                          (next.segment == run_.segment && next.cell == run_.cell + run_.count)) &&
                         (!names_below(code) || (next.below_segment == run_.below_segment &&
                                                 next.below_cell == run_.below_cell + run_.count));
  if (continues) {
    run_.count += next.count;
    return;
  }
  flush();
  run_ = next;
  code_ = code;
}

void RecipeWriter::text(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  flush();
  put(code_text);
  put(bytes.size());
  out_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void RecipeWriter::fill(std::uint64_t address, std::uint64_t count) {
  run({.kind = RecipeStep::Kind::fill, .count = count, .address = address}, code_fill);
}

void RecipeWriter::zeros(Framing framing, std::uint64_t address) {
  run({.kind = RecipeStep::Kind::zeros, .framing = framing, .count = 1, .address = address},
      with(code_zeros, framing));
}

void RecipeWriter::fresh(Framing framing, std::uint64_t address) {
  run({.framing = framing, .cell = fresh_++, .count = 1, .address = address},
      with(code_fresh, framing));
}

void RecipeWriter::known(Framing framing, std::uint64_t address, CellId cell) {
  run({.framing = framing,
       .segment = cell.segment,
       .cell = cell.cell,
       .count = 1,
       .address = address},
      with(code_known, framing));
}

void RecipeWriter::fresh_difference(Framing framing, std::uint64_t address, CellId below) {
  run({.framing = framing,
       .cell = fresh_++,
       .count = 1,
       .address = address,
       .below_segment = below.segment,
       .below_cell = below.cell},
      with(code_fresh_difference, framing));
}

void RecipeWriter::known_difference(Framing framing, std::uint64_t address, CellId cell,
                                    CellId below) {
  run({.framing = framing,
       .segment = cell.segment,
       .cell = cell.cell,
       .count = 1,
       .address = address,
       .below_segment = below.segment,
       .below_cell = below.cell},
      with(code_known_difference, framing));
}

std::string RecipeWriter::finish() {
  flush();
  return std::move(out_);
}

RecipeReader::RecipeReader(std::string_view recipe, std::size_t segments)
    : rest_(recipe), next_cell_(segments, 0), next_below_(segments, 0) {}

std::optional<RecipeStep> RecipeReader::broken() {
  broken_ = true;
  rest_ = {};
  return std::nullopt;
}

std::uint64_t RecipeReader::number() {
  const auto value = take_varint(rest_);
  if (!value) broken_ = true;
  return value.value_or(0);
}

std::uint64_t RecipeReader::zigzag(std::uint64_t base) {
  const auto value = from_zigzag(base, number());
  if (!value) broken_ = true;
  return value.value_or(0);
}

/// A segment and a cell, told by where the last one of that segment ended.
CellId RecipeReader::cell_behind(const std::vector<std::uint64_t>& next) {
  const auto segment = number();
  if (broken_ || segment >= next.size()) {
    broken_ = true;
    return {};
  }
  const auto cell = zigzag(next[segment]);
  if (cell > largest_count) broken_ = true;
  return {static_cast<std::uint32_t>(segment), cell};
}

std::optional<RecipeStep> RecipeReader::next() {
  if (rest_.empty()) return std::nullopt;
  auto code = number();
  if (code == code_address) {
    address_ = number();
    if (rest_.empty()) return broken();
    code = number();
    if (code >= 0x80 || !has_records(static_cast<std::uint8_t>(code))) return broken();
  }
  RecipeStep step;
  if (code == code_text) {
    const auto size = number();
    if (broken_ || size == 0 || size > rest_.size()) return broken();
    step.text = rest_.substr(0, size);
    step.count = 1;
    rest_.remove_prefix(size);
    return step;
  }
  if (code == code_fill)
    step.kind = RecipeStep::Kind::fill;
  else if (code == code_zeros || code == code_zeros + 1)
    step.kind = RecipeStep::Kind::zeros;
  else if (code >= code_fresh && code < code_fresh_difference)
    step.kind = RecipeStep::Kind::cells;
  else if (code >= code_fresh_difference && code < first_unknown_code)
    step.kind = RecipeStep::Kind::differences;
  else
    return broken();
  if (code >= code_zeros && code % 2 == 1) step.framing = Framing::record;
  if (names_cell(code)) {
    const auto cell = cell_behind(next_cell_);
    step.segment = cell.segment;
    step.cell = cell.cell;
  }
  if (names_below(code)) {
    const auto below = cell_behind(next_below_);
    step.below_segment = below.segment;
    step.below_cell = below.cell;
  }
  step.count = number();
  if (broken_ || step.count == 0 || step.count > largest_count) return broken();
  if (names_below(code)) next_below_[step.below_segment] = step.below_cell + step.count;
  if (names_cell(code)) {
    next_cell_[step.segment] = step.cell + step.count;
  } else if (step.kind == RecipeStep::Kind::cells || step.kind == RecipeStep::Kind::differences) {
    step.cell = fresh_;
    fresh_ += step.count;
    if (fresh_ > largest_count) return broken();
  }
  if (has_records(static_cast<std::uint8_t>(code))) {
    if (address_ > largest_address || step.count > largest_address - address_) return broken();
    step.address = address_;
    address_ += step.count;
  }
  return step;
}

}  // namespace satchel::hibernation
