// verify: has everything read that a machine's kept generations need, and shows what was found.
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>

#include "commands.hpp"
#include "names.hpp"
#include "run_job.hpp"

namespace satchel::cli {

namespace {

using Json = nlohmann::json;

std::string listed(const std::vector<std::string>& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i)
    out += (i == 0 ? "" : i + 1 == words.size() ? " and " : ", ") + words[i];
  return out;
}

std::string said(const Json& from, const char* member) {
  return printable(from.value(member, std::string()));
}

void print(std::ostream& out, const Json& report) {
  const auto name = "'" + said(report, "name") + "'";
  const auto findings = report.value("findings", Json::array());
  std::vector<std::string> whole;
  for (const auto& each : report.value("generations", Json::array()))
    if (each.value("whole", false))
      whole.push_back(std::to_string(each.value("generation", std::uint64_t{0})));
  for (const auto& each : findings) out << "  ! " << said(each, "sentence") << '\n';
  out << name << ": " << report.value("files", std::uint64_t{0}) << " files, "
      << to_string(ByteCount(report.value("bytes", std::uint64_t{0}))) << " read; "
      << (findings.empty() ? "all is as it was written"
                           : std::to_string(findings.size()) + " not as they were written")
      << ".\n";
  if (!whole.empty())
    out << (whole.size() > 1 ? "Whole are generations " : "Whole is generation ") << listed(whole)
        << ".\n";
  for (const auto& each : report.value("not_needed", Json::array()))
    if (each.is_string())
      out << "  Not needed by any: " << printable(each.get<std::string>()) << '\n';
  if (const auto next = said(report, "next_step"); !next.empty()) out << next << '\n';
}

std::vector<CapsuleView> wanted(const HostView& host, const std::string& word) {
  const auto target = word.empty() ? Target(only_device(host)) : find_target(host, word);
  if (const auto* capsule = std::get_if<CapsuleView>(&target)) return {*capsule};
  const auto& device = std::get<DeviceView>(target);
  std::vector<CapsuleView> out;
  for (const auto& each : host.capsules)
    if (each.device == device.number) out.push_back(each);
  if (out.empty())
    throw Refusal(ExitCode::not_found, "No machine is on " + printable(device.node) + ".",
                  "'satchelctl pack' puts one there.");
  return out;
}

/// The report of this very job; none when it did not come to one.
Task<std::optional<Json>> report_of(Context& context, const CapsuleView& capsule,
                                    const std::string& job) {
  auto asking = context.client.ask(path_of(capsule.id), capsule_interface, "VerifyReport");
  auto reply = co_await std::move(asking);
  auto report = Json::parse(reply.read<std::string>(), nullptr, false);
  const bool ours = report.is_object() &&
                    job.ends_with("/" + std::to_string(report.value("job", std::uint64_t{0})));
  if (!ours) co_return std::nullopt;
  co_return report;
}

/// Throws Refusal when it could not be verified at all.
Task<Json> verify_one(Context& context, CapsuleView capsule) {
  Dictionary none;
  auto calling = context.client.ask(path_of(capsule.id), capsule_interface, "Verify", none);
  auto reply = co_await std::move(calling);
  const auto job = reply.read<ObjectPath>().value;
  std::optional<Refusal> refused;
  try {
    auto running = run_job(context, job, "Verifying '" + printable(capsule.name) + "'");
    co_await std::move(running);
  } catch (const Refusal& refusal) {
    if (refusal.code() != ExitCode::unsuitable_device) throw;
    refused = refusal;
  }
  std::optional<Json> report;
  try {
    auto asking = report_of(context, capsule, job);
    report = co_await std::move(asking);
  } catch (const Refusal&) {
    if (!refused) throw;
  }
  if (report) co_return std::move(*report);
  if (refused) throw *refused;
  throw Refusal(ExitCode::try_again, "It was verified, and what was found is not there any more.",
                "Verify it again.");
}

}  // namespace

Task<ExitCode> verify(Context& context, std::string word) {
  auto looking = context.client.overview();
  const auto host = co_await std::move(looking);
  const auto capsules = wanted(host, word);
  Json reports = Json::array();
  bool whole = true;
  std::optional<Refusal> refused;
  for (const auto& capsule : capsules) {
    try {
      auto verifying = verify_one(context, capsule);
      auto report = co_await std::move(verifying);
      whole = whole && report.value("whole", false);
      if (context.output == Output::people) print(context.out, report);
      reports.push_back(std::move(report));
    } catch (const Refusal& refusal) {
      if (refusal.code() == ExitCode::left_running || refusal.code() == ExitCode::cancelled) throw;
      if (!refused) refused = refusal;  // the others are verified all the same
    }
  }
  if (context.output == Output::json && !reports.empty())
    context.out << Json{{"whole", whole && !refused}, {"capsules", std::move(reports)}}.dump()
                << '\n';
  if (refused) throw *refused;
  co_return whole ? ExitCode::done : ExitCode::unsuitable_device;
}

}  // namespace satchel::cli
