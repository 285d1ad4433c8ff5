// The tables of docs/MACHINE.md that come from the code: what is refused and what stays behind.
#pragma once

#include <string>

#include "machine/travel_rules.hpp"

namespace satchel::machine::tests {

inline std::string table_of(const std::string& title, std::span<const TravelRule> rules) {
  std::string table = "### " + title + "\n\n| in the domain | why |\n|---|---|\n";
  for (const TravelRule& rule : rules) {
    std::string path = rule.path;
    for (std::size_t at = 0; (at = path.find('|', at)) != std::string::npos; at += 6) {
      path.replace(at, 1, "`<br>`");
    }
    table += "| `" + path + "` | " + rule.why + " |\n";
  }
  return table + "\n";
}

inline std::string rules_table() {
  const TravelRules rules = travel_rules();
  return "<!-- begin: made by print_machine_rules -->\n\n" + table_of("Refused", rules.refused) +
         table_of("Refused for a running machine, left out of one that is shut off",
                  rules.refused_while_running) +
         table_of("Left behind with a warning", rules.left_behind) + "<!-- end -->\n";
}

}  // namespace satchel::machine::tests
