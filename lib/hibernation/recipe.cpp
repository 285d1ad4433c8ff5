#include "hibernation/recipe.hpp"

#include <utility>

namespace satchel::hibernation {

namespace {

// The first byte of each step. The framing is added to the last three.
constexpr std::uint8_t code_text = 0;
constexpr std::uint8_t code_fill = 1;
constexpr std::uint8_t code_address = 2;
constexpr std::uint8_t code_zeros = 4;
constexpr std::uint8_t code_fresh = 6;
constexpr std::uint8_t code_known = 8;

constexpr std::uint64_t largest_address = std::uint64_t{1} << 52;
constexpr std::uint64_t largest_count = std::uint64_t{1} << 40;

/// Small numbers for small differences of either sign.
std::uint64_t zigzag_of(std::uint64_t from, std::uint64_t to) {
  return to >= from ? (to - from) << 1 : ((from - to - 1) << 1 | 1);
}

std::uint8_t with(std::uint8_t code, Framing framing) {
  return static_cast<std::uint8_t>(code + (framing == Framing::record ? 1 : 0));
}

bool has_records(std::uint8_t code) {
  return code == code_fill || (code >= code_zeros && code % 2 == 1);
}

std::uint64_t& at(std::vector<std::uint64_t>& cells, std::uint32_t segment) {
  if (segment >= cells.size()) cells.resize(segment + 1, 0);
  return cells[segment];
}

}  // namespace

void RecipeWriter::put(std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) out_ += static_cast<char>((number & 0x7f) | 0x80);
  out_ += static_cast<char>(number);
}

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
  if (code_ >= code_known) {
    put(run_.segment);
    auto& next = at(next_cell_, run_.segment);
    put(zigzag_of(next, run_.cell));
    next = run_.cell + run_.count;
  }
  put(run_.count);
  run_.count = 0;
}

/// Begins a run, or makes the one that it continues longer.
void RecipeWriter::run(RecipeStep next, std::uint8_t code) {
  const bool continues =
      run_.count > 0 && code == code_ &&
      (!has_records(code) || next.address == run_.address + run_.count) &&
      (code < code_known || (next.segment == run_.segment && next.cell == run_.cell + run_.count));
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

void RecipeWriter::known(Framing framing, std::uint64_t address, std::uint32_t segment,
                         std::uint64_t cell) {
  run({.framing = framing, .segment = segment, .cell = cell, .count = 1, .address = address},
      with(code_known, framing));
}

std::string RecipeWriter::finish() {
  flush();
  return std::move(out_);
}

RecipeReader::RecipeReader(std::string_view recipe, std::size_t segments)
    : rest_(recipe), next_cell_(segments, 0) {}

std::optional<RecipeStep> RecipeReader::broken() {
  broken_ = true;
  rest_ = {};
  return std::nullopt;
}

std::uint64_t RecipeReader::number() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 63 && !rest_.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  broken_ = true;
  return 0;
}

std::uint64_t RecipeReader::zigzag(std::uint64_t base) {
  const auto value = number();
  const auto size = value >> 1;
  if (value % 2 == 0) return base + size;
  if (size + 1 > base) broken_ = true;
  return base - size - 1;
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
  else if (code >= code_fresh && code <= code_known + 1)
    step.kind = RecipeStep::Kind::cells;
  else
    return broken();
  if (code >= code_zeros && code % 2 == 1) step.framing = Framing::record;
  if (code >= code_known) {
    const auto segment = number();
    if (broken_ || segment >= next_cell_.size()) return broken();
    step.segment = static_cast<std::uint32_t>(segment);
    step.cell = zigzag(next_cell_[segment]);
  }
  step.count = number();
  if (broken_ || step.count == 0 || step.count > largest_count || step.cell > largest_count)
    return broken();
  if (code >= code_known) next_cell_[step.segment] = step.cell + step.count;
  if (code == code_fresh || code == code_fresh + 1) {
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
