// JSON with the signature of a host that is trusted: what a fuzzer makes of a text has none, and is
// refused for that alone. One thread at a time.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "crypto/host_key.hpp"

namespace satchel::fuzz {

/// The signing host's, another one in each run.
const HostKey& key();

/// The canonical form of an object with `signer` and `signature`, which `domain` stands before.
std::string with_signature(nlohmann::json object, std::string_view domain);

}  // namespace satchel::fuzz
