// Which parts of a domain can't travel or stay behind, as XPath expressions below <domain>: the
// source of the tables in docs/MACHINE.md. Constants; any thread.
#pragma once

#include <span>

namespace satchel::machine {

struct TravelRule {
  const char* path;
  const char* why;
};

struct TravelRules {
  std::span<const TravelRule> refused;
  std::span<const TravelRule> refused_while_running;
  std::span<const TravelRule> left_behind;
};

TravelRules travel_rules();

}  // namespace satchel::machine
