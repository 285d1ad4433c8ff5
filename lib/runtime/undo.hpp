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
  /// Runs all that was noted, newest first. One that fails is logged and ends it: what was made
  /// before may still be in use then, and the next start of the daemon sees to it.
  Task<void> run(Log& log);

 private:
  struct Noted {
    std::string what;
    Step step;
  };
  std::vector<Noted> steps_;
};

}  // namespace satchel
