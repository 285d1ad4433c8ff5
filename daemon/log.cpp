#include "log.hpp"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/uio.h>

// The journal call without the place in the source: every line comes from this file.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

namespace satchel {

namespace {

int priority(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::err:
    case spdlog::level::critical:
      return 3;
    case spdlog::level::warn:
      return 4;
    case spdlog::level::info:
      return 6;
    default:
      return 7;
  }
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

/// Sends what spdlog passes on together with the fields of the line that is being written.
class JournalSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  void carry(const LogLine* line) { line_ = line; }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    std::vector<std::string> fields;
    fields.emplace_back("MESSAGE=" + std::string(message.payload.data(), message.payload.size()));
    fields.emplace_back("PRIORITY=" + std::to_string(priority(message.level)));
    fields.emplace_back("SYSLOG_IDENTIFIER=satcheld");
    if (line_ != nullptr) {
      if (!line_->message_id.empty())
        fields.emplace_back("MESSAGE_ID=" + std::string(line_->message_id));
      for (const auto& [name, value] : line_->fields) fields.emplace_back(name + "=" + value);
    }
    std::vector<iovec> pieces;
    for (auto& field : fields) pieces.push_back({field.data(), field.size()});
    sd_journal_sendv(pieces.data(), static_cast<int>(pieces.size()));
  }
  void flush_() override {}

 private:
  const LogLine* line_ = nullptr;
};

class SpdLog : public Log {
 public:
  explicit SpdLog(LogLevel least) {
    if (std::getenv("JOURNAL_STREAM") != nullptr) {
      journal_ = std::make_shared<JournalSink>();
      logger_ = std::make_shared<spdlog::logger>("satcheld", journal_);
    } else {
      auto to_stderr = std::make_shared<spdlog::sinks::stderr_sink_mt>();
      to_stderr->set_pattern("%Y-%m-%d %H:%M:%S.%e %-7l %v");
      logger_ = std::make_shared<spdlog::logger>("satcheld", to_stderr);
    }
    logger_->set_level(spdlog_level(least));
    logger_->flush_on(spdlog::level::debug);
  }

  void write(const LogLine& line) override {
    const std::lock_guard one_line_at_a_time(mutex_);
    if (journal_) journal_->carry(&line);
    logger_->log(spdlog_level(line.level), "{}", line.text);
    if (journal_) journal_->carry(nullptr);
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<JournalSink> journal_;
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace

std::unique_ptr<Log> open_log(LogLevel least) { return std::make_unique<SpdLog>(least); }

}  // namespace satchel
