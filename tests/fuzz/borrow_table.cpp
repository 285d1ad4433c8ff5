// The table of a segment's borrowed cells. The first four bytes say how many cells it may tell of.
#include "hibernation/borrow_table.hpp"

#include <algorithm>

#include "fuzz/input.hpp"

using namespace satchel::fuzz;
using namespace satchel::hibernation;

namespace {

/// Cells that are looked at one by one.
constexpr std::uint64_t most_looked_at = 4096;

void check_runs(const BorrowTable& table, std::uint64_t cells) {
  std::uint64_t end = 0;
  std::uint64_t before = 0;
  for (const auto& run : table.runs()) {
    must(run.count > 0 && run.cell >= end, "runs are in order");
    must(run.cell <= cells && run.count <= cells - run.cell, "cells are there");
    must(run.from.disk < table.targets().size(), "disks have names");
    must(run.before == before, "runs are counted");
    const auto last = run.cell + run.count - 1;
    must(table.at(last) == DiskPage{run.from.disk, run.from.page + run.count - 1} &&
             table.before(last + 1) == before + run.count,
         "a run's last cell is found");
    must(run.cell == end || !table.at(run.cell - 1), "a cell between runs is not borrowed");
    end = run.cell + run.count;
    before += run.count;
  }
  must(table.count() == before, "all are counted");
}

/// The same table, told cell by cell.
void check_cells(const BorrowTable& table) {
  BorrowTable other(table.targets());
  const auto end = table.runs().back().cell + table.runs().back().count;
  for (std::uint64_t cell = 0; cell < end; ++cell)
    if (const auto from = table.at(cell)) other.add(cell, *from);
  for (std::uint64_t cell = 0; cell <= end; ++cell)
    must(other.at(cell) == table.at(cell) && other.before(cell) == table.before(cell),
         "a table that is made again says the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const auto cells = input.number(4);
  const auto table = BorrowTable::read(input.rest(), cells);
  if (!table) return 0;
  ++accepted();
  must(!table->empty(), "an empty table is refused");
  check_runs(*table, cells);
  const auto again = BorrowTable::read(table->write(), cells);
  must(again && again->targets() == table->targets() &&
           std::ranges::equal(again->runs(), table->runs(),
                              [](const auto& a, const auto& b) {
                                return a.cell == b.cell && a.from == b.from && a.count == b.count;
                              }),
       "a table that was written reads the same");
  if (cells <= most_looked_at) check_cells(*table);
  return 0;
}
