// What arguments have to be, whatever the service would say of them. For arguments.cpp alone.
#pragma once

#include <CLI/CLI.hpp>

namespace satchel::cli {

/// A generation's number, as 'satchelctl history' shows it.
CLI::Validator generation_check();

/// Refuses an empty text wherever a command takes one: an unset variable of a shell is not "all",
/// nor "the only one".
void refuse_empty(CLI::App& app);

}  // namespace satchel::cli
