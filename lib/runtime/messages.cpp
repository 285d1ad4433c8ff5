#include "runtime/messages.hpp"

#include <utility>
#include <variant>
#include <vector>

#include "core/describe.hpp"

namespace satchel {

namespace {

// Drawn once with `systemd-id128 new`; they never change.
constexpr std::string_view transition_id = "5f0c9c5f2e4b4c0b9e6a0c3b7a1de001";
constexpr std::string_view failure_id = "5f0c9c5f2e4b4c0b9e6a0c3b7a1de002";
constexpr std::string_view running_id = "5f0c9c5f2e4b4c0b9e6a0c3b7a1de003";
constexpr std::string_view safe_id = "5f0c9c5f2e4b4c0b9e6a0c3b7a1de004";
constexpr std::string_view stranded_id = "5f0c9c5f2e4b4c0b9e6a0c3b7a1de005";
constexpr std::string_view diverged_id = "5f0c9c5f2e4b4c0b9e6a0c3b7a1de006";

std::string_view id_of(core::Notice notice) {
  switch (notice) {
    case core::Notice::running:
      return running_id;
    case core::Notice::safe:
      return safe_id;
    case core::Notice::stranded:
    case core::Notice::save_failed:
      return stranded_id;
    case core::Notice::diverged:
      return diverged_id;
    default:
      return {};
  }
}

LogLevel level_of(core::Notice notice) {
  switch (notice) {
    case core::Notice::checked_out_elsewhere:
    case core::Notice::guest_halted:
    case core::Notice::stranded:
    case core::Notice::diverged:
      return LogLevel::warning;
    case core::Notice::save_failed:
      return LogLevel::error;
    default:
      return LogLevel::info;
  }
}

std::vector<std::pair<std::string, std::string>> fields_of(CapsuleId id, const std::string& name) {
  return {{"SATCHEL_CAPSULE", id.value.str()}, {"SATCHEL_CAPSULE_NAME", name}};
}

}  // namespace

LogLine transition_line(CapsuleId id, const std::string& name, std::string_view before,
                        std::string_view after, std::string_view cause) {
  LogLine line;
  line.level = before == after ? LogLevel::debug : LogLevel::info;
  line.text = name + ": " + std::string(before) + " -> " + std::string(after) + " (" +
              std::string(cause) + ")";
  line.message_id = transition_id;
  line.fields = fields_of(id, name);
  line.fields.emplace_back("SATCHEL_STATE", std::string(after));
  return line;
}

LogLine failure_line(CapsuleId id, const std::string& name, const Fault& fault) {
  LogLine line;
  line.level = LogLevel::warning;
  line.text = name + ": " + fault.what() + ". " + fault.next_step();
  line.message_id = failure_id;
  line.fields = fields_of(id, name);
  line.fields.emplace_back("SATCHEL_REMEDY", std::string(to_string(fault.remedy())));
  return line;
}

LogLine notice_line(CapsuleId id, const std::string& name, core::Notice notice,
                    const core::State& state) {
  LogLine line;
  line.level = level_of(notice);
  line.text = name + ": " + core::detail(state);
  if (const auto next = core::next_step(state); !next.empty()) line.text += " " + next;
  line.message_id = id_of(notice);
  line.fields = fields_of(id, name);
  line.fields.emplace_back("SATCHEL_NOTICE", std::string(core::name(notice)));
  return line;
}

std::string asked_for(const core::Event& event) {
  if (std::holds_alternative<core::LaunchAsked>(event)) return "launch";
  if (std::holds_alternative<core::EjectAsked>(event)) return "eject";
  if (std::holds_alternative<core::CheckpointAsked>(event)) return "checkpoint";
  if (std::holds_alternative<core::CancelAsked>(event)) return "cancel the work on";
  if (std::holds_alternative<core::ChoiceMade>(event)) return "resolve";
  return "change";
}

}  // namespace satchel
