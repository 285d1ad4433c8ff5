// The reading side of a save into a FIFO: reads the stream, keeps libvirt waiting in its second
// open's write, then lets the save complete or makes it fail (docs/decisions/0002-save-gate.md).
#pragma once

#include <atomic>
#include <string>
#include <thread>

#include "base/handle.hpp"

namespace satchel::test {

class SaveReader {
 public:
  /// Makes the FIFO and begins to read it in a thread of its own.
  explicit SaveReader(std::string path);
  ~SaveReader();

  bool stream_ended() const { return ended_; }
  /// Lets the save complete; gives the whole save image, header in place.
  std::string complete();
  void refuse();

 private:
  void read_stream(std::stop_token stop);
  void close_gate();

  std::string path_;
  UniqueFd gate_;
  std::string stream_;
  std::atomic<bool> ended_{false};
  std::jthread thread_;
};

}  // namespace satchel::test
