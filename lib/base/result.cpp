#include "base/result.hpp"

namespace satchel {

std::string to_string(const Mistakes& mistakes) {
  std::string out;
  for (const auto& each : mistakes) {
    if (!out.empty()) out += "; ";
    if (!each.where.empty()) out += each.where + ": ";
    out += each.what;
  }
  return out;
}

}  // namespace satchel
