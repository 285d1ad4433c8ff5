#include "sync/plan.hpp"

namespace satchel::sync {
namespace {

Line line_of(const Action& action) {
  const std::string to = shown(action.to);
  switch (action.why) {
    case Why::added:
      return {Mark::added, action.to, {}};
    case Why::updated:
      return {Mark::changed, action.to, {}};
    case Why::restamped:
      return {Mark::changed, action.to, "only its time or mode"};
    case Why::brought_back:
      return {Mark::attention, action.to,
              "it was deleted here and changed in the guest: it is back"};
    case Why::conflict:
      return {Mark::attention, action.path,
              "it is not the same in the guest and here: the guest's is beside it as " + to};
    case Why::removed:
      return {Mark::removed, action.to, {}};
  }
  return {};
}

std::uint64_t& count_of(Why why, Counts& counts) {
  switch (why) {
    case Why::added:
      return counts.added;
    case Why::updated:
      return counts.updated;
    case Why::restamped:
      return counts.restamped;
    case Why::brought_back:
      return counts.brought_back;
    case Why::conflict:
      return counts.conflicts;
    case Why::removed:
      break;
  }
  return counts.trashed;
}

}  // namespace

void tell(const Action& action, Report& report) {
  // What makes room for something else is told with that.
  if (action.why == Why::removed && action.after) return;
  ++count_of(action.why, report.counts);
  report.lines.push_back(line_of(action));
}

std::uint32_t host_mode(Kind kind, std::uint32_t guest_mode, std::uint32_t umask) {
  const std::uint32_t always = kind == Kind::directory ? 0700U : 0400U;
  return ((guest_mode & 0777U) & ~umask) | always;
}

}  // namespace satchel::sync
