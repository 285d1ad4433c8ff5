// The command line, as satchelctl(1) has it. Pure but for reading argv.
#pragma once

#include <optional>
#include <string>

#include "commands.hpp"

namespace satchel::cli {

/// What the command line asks for: a command, or a text to print (help, the version) and be done.
struct Invocation {
  Output output = Output::people;
  Command command;
  std::string text;
};

/// Throws Refusal for a wrong command line.
Invocation parse_arguments(int argc, const char* const* argv);

}  // namespace satchel::cli
