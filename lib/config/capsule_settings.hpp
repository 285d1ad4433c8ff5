// Inside lib/config only: the entries of `capsules:`, and what they share with the defaults. Pure.
#pragma once

#include <optional>
#include <string>

#include "config/config.hpp"
#include "config/section.hpp"

namespace satchel {

/// "25%" or "2GiB".
std::optional<CowLimit> parse_cow_limit(const std::string& text);
inline constexpr std::string_view cow_limit_expected =
    "a share as in 25%, up to 100%, or a size as in 2GiB";

/// `capsules`: a section for each UUID.
void read_capsules(Section& capsules, std::map<CapsuleId, CapsuleSettings>& out);

}  // namespace satchel
