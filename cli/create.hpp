// What satchelctl create is asked for, and what it makes of it before it asks the daemon. Pure,
// but for the files that it opens. Throws Refusal.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/handle.hpp"
#include "bus/values.hpp"
#include "commands.hpp"
#include "osinfo/advice.hpp"

namespace satchel::cli {

/// The request as Manager.Create takes it, and what a person is told about it.
struct Creation {
  std::map<std::string, UniqueFd> files;
  Dictionary options;
  std::vector<std::string> sentences;
};

/// Memory and processors of this computer.
osinfo::Means means_of_host();

/// `advice` is for the operating system where one is known; what was said on the command line
/// counts more.
Creation plan_creation(const CreateOptions& options, const std::optional<osinfo::Advice>& advice);

}  // namespace satchel::cli
