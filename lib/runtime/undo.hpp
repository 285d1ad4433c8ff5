// What has to be undone when a job fails: steps are noted as they are made and run in reverse.
// Belongs to one coroutine.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "async/lanes.hpp"
#include "base/log.hpp"

namespace satchel {

class Undo {
 public:
  using Step = std::function<Task<void>()>;

  void note(std::string what, Step step);
  /// The job has succeeded: nothing is to be undone.
  void dismiss() { steps_.clear(); }
  /// Runs all that was noted, newest first; one that fails is logged and the others still run.
  Task<void> run(Log& log);

 private:
  struct Noted {
    std::string what;
    Step step;
  };
  std::vector<Noted> steps_;
};

}  // namespace satchel
