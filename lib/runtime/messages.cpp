#include "runtime/messages.hpp"

#include <utility>
#include <variant>
#include <vector>

#include "core/describe.hpp"

namespace satchel {

namespace {

// Drawn once with `systemd-id128 new`; they never change. docs/JOURNAL.md lists them, and a test
// compares the two.
constexpr std::string_view transition_id = "66234e3bf24949fc9278a0a7f8f10511";
constexpr std::string_view failure_id = "101813b62ef14bfdac8faaa21dad596b";
constexpr std::string_view running_id = "f660ee2b17a042f5ae742f5d5653cb93";
constexpr std::string_view safe_id = "839991fd36ee4d91ae9fe5fdd27f8f65";
constexpr std::string_view stranded_id = "81dc0fdcdb7b45a4a4c4f7f865f145c6";
constexpr std::string_view save_failed_id = "9badaa22b0ba408b8d4c8b5bb84b8e46";
constexpr std::string_view detached_id = "d7ebd0a7232d493b9711a9ae5411ad3b";
constexpr std::string_view diverged_id = "77f064443bc34eee9fb7c6c1ae0e2c64";

constexpr std::string_view synced_id = "0cb75703ee4141479cef5d20ad9f60b8";
constexpr std::string_view outcome_id = "78a9b1d616164b719ae920954cc266c1";
constexpr std::string_view request_id = "cbf71a3d157041e493b75288318bc145";
constexpr std::string_view refused_id = "ee043d25c5df45fc8885c383fa593636";

std::string_view id_of(core::Notice notice) {
  switch (notice) {
    case core::Notice::running:
      return running_id;
    case core::Notice::safe:
      return safe_id;
    case core::Notice::stranded:
      return stranded_id;
    case core::Notice::save_failed:
      return save_failed_id;
    case core::Notice::detached:
      return detached_id;
    case core::Notice::diverged:
      return diverged_id;
    default:
      return {};
  }
}

LogLevel level_of(core::Notice notice) {
  switch (notice) {
    case core::Notice::checked_out_elsewhere:
    case core::Notice::older_copy:
    case core::Notice::another_branch:
    case core::Notice::newest_damaged:
    case core::Notice::guest_halted:
    case core::Notice::stranded:
    case core::Notice::diverged:
    case core::Notice::upkeep_failed:
      return LogLevel::warning;
    case core::Notice::save_failed:
      return LogLevel::error;
    case core::Notice::launch_failed:
    case core::Notice::eject_failed:
    case core::Notice::checkpoint_failed:
      return LogLevel::debug;  // the failure has had its line
    case core::Notice::ejecting:
      return LogLevel::debug;  // so has the transition
    default:
      return LogLevel::info;
  }
}

std::vector<std::pair<std::string, std::string>> fields_of(CapsuleId id, const std::string& name) {
  return {{"SATCHEL_CAPSULE", id.value.str()}, {"SATCHEL_CAPSULE_NAME", name}};
}

LogLine asking_line(std::uint32_t user, std::string_view answer, const Undertaking& wanted,
                    std::string_view message_id) {
  LogLine line;
  line.level = LogLevel::info;
  line.text = "user " + std::to_string(user) + " " + std::string(answer) + " " + wanted.doing;
  for (const auto* each : {&wanted.machine, &wanted.device})
    if (!each->empty()) line.text += (each == &wanted.machine ? ": " : ", on ") + *each;
  line.message_id = message_id;
  line.fields = {{"SATCHEL_USER", std::to_string(user)}, {"SATCHEL_REQUEST", wanted.doing}};
  return line;
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

LogLine job_failure_line(const std::string& operation, std::optional<CapsuleId> capsule,
                         const Fault& fault) {
  LogLine line;
  line.level = LogLevel::warning;
  line.text = std::string(fault.what()) + ". " + fault.next_step();
  line.message_id = failure_id;
  if (capsule) line.fields.emplace_back("SATCHEL_CAPSULE", capsule->value.str());
  line.fields.emplace_back("SATCHEL_OPERATION", operation);
  line.fields.emplace_back("SATCHEL_REMEDY", std::string(to_string(fault.remedy())));
  return line;
}

LogLine notice_line(CapsuleId id, const std::string& name, core::Notice notice,
                    const core::State& state) {
  LogLine line;
  line.level = level_of(notice);
  line.text = name + ": " + core::detail(state);
  // That a device may be pulled out says what to do.
  if (const auto next = core::next_step(state); !next.empty() && notice != core::Notice::safe)
    line.text += " " + next;
  line.message_id = id_of(notice);
  line.fields = fields_of(id, name);
  line.fields.emplace_back("SATCHEL_NOTICE", std::string(core::name(notice)));
  return line;
}

LogLine outcome_line(CapsuleId id, const std::string& name, const Outcome& outcome) {
  const auto hundredths = outcome.took.count() / 10;
  const auto cents = std::to_string(hundredths % 100);
  const auto seconds =
      std::to_string(hundredths / 100) + "." + (cents.size() < 2 ? "0" : "") + cents;
  LogLine line;
  line.level = LogLevel::info;
  line.text = name + ": " + std::string(outcome.done) + " " + outcome.node + ", generation " +
              std::to_string(outcome.generation.value) + ": " + to_string(outcome.moved) + " in " +
              seconds + " s";
  line.message_id = outcome_id;
  line.fields = fields_of(id, name);
  line.fields.emplace_back("SATCHEL_OPERATION", std::string(outcome.operation));
  line.fields.emplace_back("SATCHEL_GENERATION", std::to_string(outcome.generation.value));
  line.fields.emplace_back("SATCHEL_DEVICE", outcome.node);
  line.fields.emplace_back("SATCHEL_BYTES", std::to_string(outcome.moved.value));
  line.fields.emplace_back("SATCHEL_SECONDS", seconds);
  return line;
}

LogLine request_line(std::uint32_t user, const Undertaking& wanted) {
  return asking_line(user, "asks to", wanted, request_id);
}

LogLine refused_line(std::uint32_t user, const Undertaking& wanted) {
  return asking_line(user, "may not", wanted, refused_id);
}

LogLine sync_line(CapsuleId id, const std::string& name, LogLevel level, const std::string& text,
                  const std::optional<sync::Counts>& counts) {
  LogLine line;
  line.level = level;
  line.text = name + ": " + text;
  line.fields = fields_of(id, name);
  if (!counts) return line;
  line.message_id = synced_id;
  line.fields.emplace_back("SATCHEL_SYNC_ADDED", std::to_string(counts->added));
  line.fields.emplace_back("SATCHEL_SYNC_UPDATED", std::to_string(counts->updated));
  line.fields.emplace_back("SATCHEL_SYNC_TRASHED", std::to_string(counts->trashed));
  line.fields.emplace_back("SATCHEL_SYNC_CONFLICTS", std::to_string(counts->conflicts));
  line.fields.emplace_back("SATCHEL_SYNC_SKIPPED", std::to_string(counts->skipped));
  return line;
}

std::string asked_for(const core::Event& event) {
  if (std::holds_alternative<core::LaunchAsked>(event)) return "launch";
  if (std::holds_alternative<core::EjectAsked>(event)) return "eject";
  if (std::holds_alternative<core::CheckpointAsked>(event)) return "checkpoint";
  if (const auto* upkeep = std::get_if<core::UpkeepAsked>(&event))
    return std::string(core::name(upkeep->what));
  if (std::holds_alternative<core::RollbackAsked>(event)) return "roll back";
  if (std::holds_alternative<core::CancelAsked>(event)) return "cancel the work on";
  if (std::holds_alternative<core::ChoiceMade>(event)) return "resolve";
  return "change";
}

}  // namespace satchel
