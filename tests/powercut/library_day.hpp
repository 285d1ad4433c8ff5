// One commit by the product's own code as tests/powercut's library_day.py spells it out. For the
// reader alone.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "crypto/host_key.hpp"

/// On the device mounted at `place`, in its one capsule, which is made when there is none:
///   what    "pack", "eject", …
///   chain   the disk's files
///   write   [path, file]: objects to write, of the bytes of these files
///   patch   [path, file, offset]: bytes that come into an object in place, as a merge changes it
///   memory  the generation whose memory it has: memory/N.pages and memory/N.map
/// Then it sweeps, and gives the new generation's number: {"seq": N}. Throws Fault.
nlohmann::json commit_as_told(const std::string& place, const nlohmann::json& wish,
                              const satchel::HostKey& key);
