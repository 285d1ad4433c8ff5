// What the daemon is told by the worker that reads a guest's filesystems, which a hostile guest may
// speak through; and what the worker is told.
#include "sync/worker_words.hpp"

#include <algorithm>
#include <string>
#include <variant>

#include "fuzz/input.hpp"

using namespace satchel::fuzz;
using namespace satchel::sync;

namespace {

void check_shown(const RuleEnd& end) {
  must(rule_json(end).find('\n') == std::string::npos, "a rule's end is one line");
  const auto took = summary(end.report.durations);
  must(std::ranges::all_of(took, [](char c) { return c >= ' ' && c <= '~'; }),
       "what a rule took is text, however long it says that was");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto line = Input(data, size).rest();
  if (const auto news = parse_news(line)) {
    ++accepted();
    const auto said = to_json(*news);
    must(said.find('\n') == std::string::npos, "news are one line");
    const auto again = parse_news(said);
    must(again && to_json(*again) == said, "news that were told are heard the same");
    if (const auto* end = std::get_if<RuleEnd>(&*news)) check_shown(*end);
  }
  if (const auto order = parse_order(line)) {
    ++accepted();
    const auto again = parse_order(to_json(*order));
    must(again && *again == *order, "an order that was given is heard the same");
  }
  return 0;
}
