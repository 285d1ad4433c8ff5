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

  /// `stop`: what was made before may be in use while this is not undone, so it stays then.
  enum class OnFailure { go_on, stop };
  void note(std::string what, Step step, OnFailure on_failure = OnFailure::go_on);
  /// The job has succeeded: nothing is to be undone.
  void dismiss() { steps_.clear(); }
  /// Runs all that was noted, newest first. What fails is logged; the next start of the daemon sees
  /// to what is left.
  Task<void> run(Log& log);

 private:
  struct Noted {
    std::string what;
    Step step;
    OnFailure on_failure;
  };
  std::vector<Noted> steps_;
};

}  // namespace satchel
