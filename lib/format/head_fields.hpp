// What writer and reader of heads must agree on besides head.hpp. Inside lib/format only.
#pragma once

#include <string>
#include <string_view>

namespace satchel::format {

inline constexpr std::string_view head_kind = "satchel-head";
/// Stands before the canonical bytes when they are signed, so that a signature of a head can never
/// pass for one of anything else.
inline constexpr std::string_view signature_domain = "satchel-head-v1\n";

inline std::string signed_bytes(const std::string& unsigned_canonical) {
  return std::string(signature_domain) + unsigned_canonical;
}

}  // namespace satchel::format
