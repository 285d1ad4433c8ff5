// Where the daemon's one-line records go; daemon/ has the real one (spdlog to the journal). A
// library that can't be used without a record takes a Log&. Thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace satchel {

/// error: a promise to the user was broken. warning: we coped. info: what an operator wants to read
/// in a week's journal. debug: for us.
enum class LogLevel { debug, info, warning, error };

/// One record. A notable event carries the id of its kind (128 bits in hex, see
/// docs/JOURNAL.md) and typed fields (names in upper case).
struct LogLine {
  LogLevel level = LogLevel::info;
  std::string text;
  std::string_view message_id;
  std::vector<std::pair<std::string, std::string>> fields;
};

class Log {
 public:
  virtual ~Log() = default;
  virtual void write(const LogLine& line) = 0;

  void debug(std::string text) { write({LogLevel::debug, std::move(text), {}, {}}); }
  void info(std::string text) { write({LogLevel::info, std::move(text), {}, {}}); }
  void warning(std::string text) { write({LogLevel::warning, std::move(text), {}, {}}); }
  void error(std::string text) { write({LogLevel::error, std::move(text), {}, {}}); }
};

}  // namespace satchel
