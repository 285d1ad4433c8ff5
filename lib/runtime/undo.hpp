// What has to be undone when a job fails: steps are noted as they are made and run in reverse.
// Belongs to one coroutine.
#pragma once

#include <exception>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
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

/// What `work` gives. When it fails, all that it has noted is undone before its failure goes on.
template <class T>
Task<T> or_undo(Undo& undo, Log& log, Task<T> work) {
  std::exception_ptr failure;
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(work);
      undo.dismiss();
      co_return;
    } else {
      T result = co_await std::move(work);
      undo.dismiss();
      co_return result;
    }
  } catch (...) {
    failure = std::current_exception();
  }
  auto undoing = undo.run(log);
  co_await std::move(undoing);
  std::rethrow_exception(failure);
}

}  // namespace satchel
