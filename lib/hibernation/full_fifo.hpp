// A FIFO whose pipe is filled to the brim: whoever opens it for writing gets in, and then waits in
// the first write until we admit() or turn_away(); who writes nothing is not held
// (docs/decisions/0002-save-gate.md). Owned by a SaveGate; one thread at a time, but for stop
// tokens.
#pragma once

#include <cstddef>
#include <filesystem>
#include <stop_token>

#include "base/handle.hpp"

namespace satchel::hibernation {

class FullFifo {
 public:
  /// Puts the FIFO (mode 0600) in the place of whatever has that path, in one step.
  explicit FullFifo(const std::filesystem::path& path);

  /// Returns when somebody has opened it. A stop request ends the wait by a Fault with
  /// Remedy::retry.
  void await_writer(std::stop_token stop) const;

  /// Lets the writer that has come write, and gives the end to read from (non-blocking). Its end of
  /// file is the writer's close. After await_writer() only.
  UniqueFd admit();

  /// Ends every write by EPIPE, those of writers that still are inside open(2) as well: the pipe
  /// stays full while there is no reader. A writer that reaches the FIFO after this call waits
  /// until the next.
  void turn_away() noexcept;

 private:
  std::filesystem::path own_path() const;

  UniqueFd both_;       // reads and writes: holds the door while nothing is decided
  UniqueFd keeper_;     // writes only: keeps the pipe, and it full, when both_ is closed
  UniqueFd reference_;  // names the FIFO when its path no longer does
  UniqueFd watch_;      // inotify: somebody has opened it
  std::size_t filling_ = 0;
};

}  // namespace satchel::hibernation
