// Runs another program (qemu-img) and waits for it. Blocking: call it on a lane. The program ends
// with the thread that called, so a killed daemon leaves none behind (docs/decisions/0033).
#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/handle.hpp"

namespace satchel {

/// What the caller has to say to the child while it runs, by a descriptor of its own, such as one
/// end of a socket whose other end the child gets.
struct ProcessTalk {
  int descriptor = -1;  ///< ours; -1: there is no talk
  /// Called whenever the descriptor can be read or has been closed by the other side, and after
  /// each `beat` without. May throw: the child is then ended by SIGKILL first.
  std::function<void()> on_turn;
  std::chrono::milliseconds beat{250};
};

struct ProcessRun {
  std::vector<std::string> arguments;  ///< arguments[0] is the program, looked up in PATH
  /// Descriptors the child gets, in order, as 3, 4, 5 …; everything else is closed.
  std::vector<int> descriptors;
  int input = -1;  ///< what the child gets as standard input; none: /dev/null
  /// Called with each piece of standard output as it comes; may be empty.
  std::function<void(std::string_view)> on_output;
  ProcessTalk talk;
  std::stop_token stop;  ///< a stop request sends SIGTERM
};

struct ProcessEnd {
  int exit_status;     ///< as a shell has it: 128 + n for signal n
  std::string output;  ///< standard output, at most the last 1 MiB
  std::string errors;  ///< standard error, at most the last 64 KiB
  bool stopped;        ///< it was ended because of the stop token
};

/// Throws Fault when the program can't be started, and what the talk throws.
ProcessEnd run_process(const ProcessRun& run);

}  // namespace satchel
