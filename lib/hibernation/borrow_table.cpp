#include "hibernation/borrow_table.hpp"

#include <algorithm>
#include <utility>

#include "hibernation/varint.hpp"

namespace satchel::hibernation {

namespace {

constexpr std::size_t most_targets = 64;
constexpr std::size_t longest_target = 32;
constexpr std::uint64_t most_pages = std::uint64_t{1} << 51;

/// As a head has it.
bool is_target(std::string_view text) {
  return !text.empty() && text.size() <= longest_target && std::ranges::all_of(text, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

std::optional<std::vector<std::string>> take_targets(std::string_view& rest) {
  const auto count = take_varint(rest);
  if (!count || *count == 0 || *count > most_targets) return std::nullopt;
  std::vector<std::string> out;
  while (out.size() < *count) {
    const auto size = take_varint(rest);
    if (!size || *size > rest.size() || !is_target(rest.substr(0, *size))) return std::nullopt;
    out.emplace_back(rest.substr(0, *size));
    rest.remove_prefix(*size);
    if (std::count(out.begin(), out.end(), out.back()) > 1) return std::nullopt;
  }
  return out;
}

}  // namespace

void BorrowTable::add(std::uint64_t cell, DiskPage from) {
  if (!runs_.empty()) {
    auto& last = runs_.back();
    if (cell == last.cell + last.count && from.disk == last.from.disk &&
        from.page == last.from.page + last.count) {
      ++last.count;
      return;
    }
  }
  const auto before = runs_.empty() ? 0 : runs_.back().before + runs_.back().count;
  runs_.push_back({cell, from, 1, before});
}

/// The first run that begins behind the cell.
std::vector<BorrowTable::Run>::const_iterator BorrowTable::behind(std::uint64_t cell) const {
  return std::ranges::upper_bound(runs_, cell, {}, &Run::cell);
}

std::optional<DiskPage> BorrowTable::at(std::uint64_t cell) const {
  const auto next = behind(cell);
  if (next == runs_.begin()) return std::nullopt;
  const auto& run = *std::prev(next);
  const auto within = cell - run.cell;
  if (within >= run.count) return std::nullopt;
  return DiskPage{run.from.disk, run.from.page + within};
}

std::uint64_t BorrowTable::before(std::uint64_t cell) const {
  const auto next = behind(cell);
  if (next == runs_.begin()) return 0;
  const auto& run = *std::prev(next);
  return run.before + std::min(cell - run.cell, run.count);
}

std::string BorrowTable::write() const {
  std::string out;
  put_varint(out, targets_.size());
  for (const auto& target : targets_) {
    put_varint(out, target.size());
    out += target;
  }
  std::uint64_t cell = 0;
  std::uint64_t page = 0;
  for (const auto& run : runs_) {
    put_varint(out, run.cell - cell);
    put_varint(out, run.from.disk);
    put_varint(out, zigzag_of(page, run.from.page));
    put_varint(out, run.count);
    cell = run.cell + run.count;
    page = run.from.page + run.count;
  }
  return out;
}

Result<BorrowTable> BorrowTable::read(std::string_view bytes, std::uint64_t cells) {
  const auto broken = [] { return mistake("segment", "its table of borrowed cells is broken"); };
  auto targets = take_targets(bytes);
  if (!targets || bytes.empty()) return broken();
  BorrowTable out(std::move(*targets));
  std::uint64_t cell = 0;
  std::uint64_t page = 0;
  std::uint64_t before = 0;
  while (!bytes.empty()) {
    const auto gap = take_varint(bytes);
    const auto disk = take_varint(bytes);
    const auto signed_page = take_varint(bytes);
    const auto count = take_varint(bytes);
    if (!gap || !disk || !signed_page || !count || *gap > cells - cell ||
        *disk >= out.targets_.size())
      return broken();
    const auto first = from_zigzag(page, *signed_page);
    cell += *gap;
    if (!first || *first > most_pages || *count == 0 || *count > cells - cell ||
        *count > most_pages - *first)
      return broken();
    out.runs_.push_back({cell, {static_cast<std::uint32_t>(*disk), *first}, *count, before});
    cell += *count;
    page = *first + *count;
    before += *count;
  }
  return out;
}

}  // namespace satchel::hibernation
