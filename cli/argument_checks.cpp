#include "argument_checks.hpp"

#include <string>

namespace satchel::cli {

namespace {

std::string not_empty(const std::string& text) {
  return text.empty() ? "it is empty; leave it out if it is not meant" : std::string();
}

std::string generation_number(const std::string& text) {
  constexpr std::size_t most_digits = 18;
  const bool is_number = !text.empty() && text.size() <= most_digits && text.front() != '0' &&
                         text.find_first_not_of("0123456789") == text.npos;
  return is_number ? std::string() : "'satchelctl history' shows which there are";
}

}  // namespace

CLI::Validator generation_check() { return {generation_number, {}}; }

void refuse_empty(CLI::App& app) {
  for (auto* command : app.get_subcommands({}))
    for (auto* option : command->get_options())
      if (option->get_expected_max() > 0) option->check(CLI::Validator(not_empty, {}, "not empty"));
}

}  // namespace satchel::cli
