// A recipe alone. The first byte says how many segments there are.
#include "hibernation/recipe.hpp"

#include <string>
#include <vector>

#include "fuzz/input.hpp"

using namespace satchel::fuzz;
using namespace satchel::hibernation;

namespace {

using Kind = RecipeStep::Kind;

/// More pages than these are not told one by one.
constexpr std::uint64_t most_told = 4096;

struct Read {
  std::vector<RecipeStep> steps;
  std::vector<bool> is_fresh;  ///< of each step: the own segment's next cells
  bool is_broken = false;
};

Read read(std::string_view recipe, std::size_t segments) {
  Read out;
  RecipeReader reader(recipe, segments);
  for (auto fresh = reader.fresh();; fresh = reader.fresh()) {
    const auto step = reader.next();
    if (!step) break;
    must(step->count > 0, "a step makes something");
    must(step->segment < segments && step->below_segment < segments, "a step's segments are there");
    out.steps.push_back(*step);
    out.is_fresh.push_back(reader.fresh() > fresh);
    must(out.steps.size() <= recipe.size(), "a step takes a byte at least");
  }
  out.is_broken = reader.is_broken();
  return out;
}

void write(const RecipeStep& step, bool is_fresh, RecipeWriter& to) {
  if (step.kind == Kind::text) return to.text(bytes_of(step.text));
  if (step.kind == Kind::fill) return to.fill(step.address, step.count);
  for (std::uint64_t i = 0; i < step.count; ++i) {
    const auto address = step.framing == Framing::record ? step.address + i : 0;
    const CellId cell{step.segment, step.cell + i};
    const CellId below{step.below_segment, step.below_cell + i};
    if (step.kind == Kind::zeros)
      to.zeros(step.framing, address);
    else if (step.kind == Kind::cells)
      is_fresh ? to.fresh(step.framing, address) : to.known(step.framing, address, cell);
    else if (is_fresh)
      to.fresh_difference(step.framing, address, below);
    else
      to.known_difference(step.framing, address, cell, below);
  }
}

/// Each page that the steps make as a line, whatever runs they stand in.
std::string told(const std::vector<RecipeStep>& steps) {
  std::string out;
  const auto tell = [&](std::uint64_t number) { out += std::to_string(number) + " "; };
  for (const auto& step : steps) {
    const bool is_difference = step.kind == Kind::differences;
    for (std::uint64_t i = 0; i < step.count; ++i) {
      tell(static_cast<std::uint64_t>(step.kind));
      if (step.kind == Kind::fill || step.framing == Framing::record) tell(step.address + i);
      if (step.kind == Kind::cells || is_difference) {
        tell(step.segment);
        tell(step.cell + i);
      }
      if (is_difference) {
        tell(step.below_segment);
        tell(step.below_cell + i);
      }
      out += std::string(step.text) + "\n";
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const std::size_t segments = 1 + input.byte() % 64U;
  const auto first = read(input.rest(), segments);
  if (first.is_broken) return 0;
  ++accepted();
  std::uint64_t count = 0;
  for (const auto& step : first.steps) {
    if (step.count > most_told) return 0;
    count += step.count;
  }
  if (count > most_told) return 0;
  RecipeWriter writer;
  for (std::size_t i = 0; i < first.steps.size(); ++i)
    write(first.steps[i], first.is_fresh[i], writer);
  const auto recipe = writer.finish();
  const auto second = read(recipe, segments);
  must(!second.is_broken, "a recipe that was written makes sense");
  must(told(second.steps) == told(first.steps), "a recipe that was written reads the same");
  return 0;
}
