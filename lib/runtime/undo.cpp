#include "runtime/undo.hpp"

#include <exception>

namespace satchel {

void Undo::note(std::string what, Step step) {
  steps_.push_back(Noted{std::move(what), std::move(step)});
}

Task<void> Undo::run(Log& log) {
  while (!steps_.empty()) {
    Noted noted = std::move(steps_.back());
    steps_.pop_back();
    try {
      auto step = noted.step();
      co_await std::move(step);
    } catch (const std::exception& failure) {
      log.warning("could not " + noted.what + " while undoing: " + failure.what() +
                  "; the rest is left as it is");
      steps_.clear();
    }
  }
}

}  // namespace satchel
