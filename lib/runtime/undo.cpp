#include "runtime/undo.hpp"

#include <exception>

namespace satchel {

void Undo::note(std::string what, Step step, OnFailure on_failure) {
  steps_.push_back(Noted{std::move(what), std::move(step), on_failure});
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
                  "; left as it is");
      if (noted.on_failure == OnFailure::stop) steps_.clear();
    }
  }
}

}  // namespace satchel
