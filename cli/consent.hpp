// Asks before something is done that can't be undone.
#pragma once

#include <string>

#include "commands.hpp"

namespace satchel::cli {

struct Question {
  std::string warning;  ///< one sentence, for who can't be asked
  std::string text;     ///< what is shown; ends where the answer is typed
  std::string refused;  ///< one sentence: nothing was done
};

/// Returns when the user types "yes", written out. Throws Refusal otherwise, and where nobody can
/// be asked or JSON is wanted: then --yes has to be given.
void ask_for_consent(Context& context, const Question& question);

}  // namespace satchel::cli
