#include "consent.hpp"

#include <istream>
#include <ostream>

namespace satchel::cli {

void ask_for_consent(Context& context, const Question& question) {
  if (context.input == Context::Input::none || context.output == Output::json)
    throw Refusal(ExitCode::usage, question.warning, "Give --yes when that is what you want.");
  context.out << question.text << std::flush;
  std::string answer;
  std::getline(context.in, answer);
  if (answer != "yes") throw Refusal(ExitCode::cancelled, question.refused);
}

}  // namespace satchel::cli
