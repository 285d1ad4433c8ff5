// What the daemon and its sync worker tell each other: an order, then lines of JSON. Values and
// their text; pure. Each side takes what the other says for foreign.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/fault.hpp"
#include "base/ids.hpp"
#include "base/progress.hpp"
#include "base/result.hpp"
#include "sync/report.hpp"
#include "sync/sync.hpp"

namespace satchel::sync {

struct WorkRule {
  std::string guest;  ///< as in the settings
  std::string to;     ///< absolute path on the host
  unsigned trash_days = 30;
  bool operator==(const WorkRule&) const = default;
};

/// All that one owner's rules of one capsule are to do.
struct WorkOrder {
  std::string owner;         ///< user name that the worker runs as
  std::string state;         ///< absolute path of the owner's directory for states and scratch
  std::string capsule;       ///< UUID, a directory's name below `state`
  std::string capsule_name;  ///< for people and for the names of conflict copies
  UnixNanos as_of;           ///< when the generation was made
  Extent extent = Extent::whole;
  Emptiness emptiness = Emptiness::refused;
  std::vector<std::string> disks;
  std::vector<WorkRule> rules;
  bool operator==(const WorkOrder&) const = default;
};
/// One line, without the line feed.
std::string to_json(const WorkOrder& order);
Result<WorkOrder> parse_order(std::string_view line);

/// How one rule ended. Paths of the report's lines are as shown() gives them.
struct RuleEnd {
  std::string guest, to;
  Report report;
  std::uint64_t lines_left_out = 0;  ///< a report is cut at 2000 lines
  std::optional<Fault> fault;        ///< then the report is empty
};
/// Progress, a rule's end, or what ended the work as a whole.
using WorkNews = std::variant<Progress, RuleEnd, Fault>;
std::string to_json(const WorkNews& news);
Result<WorkNews> parse_news(std::string_view line);

/// A rule's end as shown and kept: one JSON object, as in `satchelctl sync --json`.
std::string rule_json(const RuleEnd& end);

}  // namespace satchel::sync
