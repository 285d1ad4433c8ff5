// Writes docs/STATES.md: every sample state against every sample event, as react() answers.
//   generate_states              prints the document
//   generate_states --check F    fails when F is not that document
#include <algorithm>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/describe.hpp"
#include "core/samples.hpp"

namespace {

using namespace satchel::core;

std::string in_words(const Effect& effect) {
  std::string out = "`" + std::string(name(effect)) + "`";
  if (const auto* tell = std::get_if<Tell>(&effect))
    out = "tell *" + std::string(name(tell->notice)) + "*";
  if (const auto* launch = std::get_if<StartLaunch>(&effect))
    out += " from " + std::string(name(launch->from));
  return out;
}

std::string in_words(const Transition& transition) {
  const auto& state = transition.state;
  std::string out = "**" + std::string(name(state)) + "**";
  std::string with;
  const auto add = [&](const std::string& text) { with += (with.empty() ? "" : ", ") + text; };
  if (const auto* session = session_of(state)) add("guest " + std::string(name(session->guest)));
  if (job_of(state) && !device_of(state)) add("device gone");
  if (!with.empty()) out += " (" + with + ")";
  for (std::size_t i = 0; i < transition.effects.size(); ++i)
    out += (i == 0 ? ": " : ", ") + in_words(transition.effects[i]);
  return out;
}

// Empty for a fact that is ignored.
std::string in_words(const State& state, const Event& event, const Policy& policy) {
  if (const auto step = react(state, event, samples::next_job, policy)) return in_words(*step);
  if (!is_asked(event)) return {};
  const auto why = refusal(state, event);
  return "*" + why.what + (why.next.empty() ? "" : " " + why.next) + "*";
}

std::string document(const Policy& policy) {
  std::ostringstream out;
  out << "# States and events\n\n"
         "Generated from `lib/core` by `generate_states` (`ninja states`); a test fails when it is "
         "stale.\n"
         "One capsule on one host, `on_insert: resume`. A row gives the next state and what is "
         "done; events that are\n"
         "not listed under a state are ignored there when they are facts. What is asked for and "
         "not possible gets the\n"
         "sentence shown in italics.\n";
  for (const auto& [title, state] : samples::states()) {
    out << "\n## " << title << "\n\n"
        << detail(state) << " " << next_step(state) << (next_step(state).empty() ? "" : " ")
        << "Can be unplugged: " << (can_unplug(state) ? "yes" : "no") << ".\n\n"
        << "| event | what happens |\n|---|---|\n";
    // Events with the same outcome share a row, in the order of the first of them.
    std::vector<std::pair<std::string, std::string>> rows;
    for (const auto& [label, event] : samples::events()) {
      const auto outcome = in_words(state, event, policy);
      if (outcome.empty()) continue;
      const auto same = std::find_if(rows.begin(), rows.end(),
                                     [&](const auto& row) { return row.second == outcome; });
      if (same == rows.end())
        rows.emplace_back(label, outcome);
      else
        same->first += "; " + label;
    }
    for (const auto& [labels, outcome] : rows) out << "| " << labels << " | " << outcome << " |\n";
  }
  return out.str();
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto text = document(Policy{OnInsert::resume});
  if (arguments.empty()) {
    std::cout << text;
    return std::cout.good() ? 0 : 1;
  }
  if (arguments.size() != 2 || arguments[0] != "--check") {
    std::cerr << "usage: generate_states [--check FILE]\n";
    return 2;
  }
  std::ifstream file(arguments[1]);
  std::ostringstream stored;
  stored << file.rdbuf();
  if (stored.str() == text) return 0;
  std::cerr << arguments[1] << " is stale: write it again with the target `states`\n";
  return 1;
}
