// doctor: what this host has and lacks for the work, whether its devices keep what they say, and
// what to do about it.
#include <algorithm>
#include <ostream>
#include <tuple>

#include "commands.hpp"
#include "consent.hpp"
#include "json.hpp"
#include "run_job.hpp"

namespace satchel::cli {

namespace {

using Verdict = Finding::Verdict;

Verdict read_verdict(const std::string& word) {
  if (word == "good") return Verdict::good;
  if (word == "warning") return Verdict::warning;
  if (word == "bad") return Verdict::bad;
  return Verdict::unknown;
}

Table::Cell cell(Verdict verdict) {
  switch (verdict) {
    case Verdict::good:
      return Table::Cell("good", Tone::good);
    case Verdict::warning:
      return Table::Cell("warning", Tone::warning);
    case Verdict::bad:
      return Table::Cell("bad", Tone::bad);
    case Verdict::unknown:
      break;
  }
  return Table::Cell("unknown", Tone::faint);
}

void print(Context& context, const std::vector<Finding>& findings) {
  Table table({{"CHECK"}, {"VERDICT"}, {"FOUND", Table::Align::left, Table::Fit::wrap}});
  for (const auto& finding : findings)
    table.add({printable(finding.check), cell(finding.verdict), printable(finding.found)});
  context.out << table.render(context.screen);
  for (const auto& finding : findings)
    if (!finding.remedy.empty())
      context.out << "\n"
                  << wrapped(printable(finding.check) + ": " + printable(finding.remedy),
                             context.screen.width, 0, 2)
                  << "\n";
}

void ask_to_probe(Context& context) {
  ask_for_consent(
      context,
      {"A device that keeps less than it says loses what is on it when its free space is filled.",
       "The free space of each device is filled and read back, which takes as long as that takes.\n"
       "A counterfeit device, which keeps less than it says, can lose what is on it by that, as it "
       "can by any use.\nType 'yes' to go on: ",
       "Nothing was written."});
}

/// Fills the free space of each device and reads it back.
Task<void> probe_all(Context& context, std::vector<Finding>& findings) {
  auto looking = context.client.overview();
  const auto host = co_await std::move(looking);
  for (const auto& device : host.devices) {
    const auto check = "device " + device.node;
    Dictionary none;
    try {
      auto asking = context.client.ask(root_path, manager_interface, "Probe", device.node, none);
      auto reply = co_await std::move(asking);
      auto running =
          run_job(context, reply.read<ObjectPath>().value, "Probing " + printable(device.node));
      co_await std::move(running);
      findings.push_back({check, Verdict::good, "It keeps what is written to it.", {}});
    } catch (const Refusal& refusal) {
      // Nobody takes a device for tested that was not.
      if (refusal.code() == ExitCode::left_running || refusal.code() == ExitCode::cancelled ||
          refusal.code() == ExitCode::not_authorised)
        throw;
      const bool is_bad = refusal.code() == ExitCode::unsuitable_device;
      findings.push_back(
          {check, is_bad ? Verdict::bad : Verdict::unknown, refusal.reason(), refusal.next()});
    }
  }
}

}  // namespace

Task<ExitCode> doctor(Context& context, DoctorOptions wanted) {
  std::vector<Finding> findings;
  try {
    if (wanted.thorough && !wanted.yes) ask_to_probe(context);
    Dictionary options;
    if (wanted.measure) options["measure"] = true;
    auto asking = context.client.ask(root_path, manager_interface, "Diagnose", options);
    auto reply = co_await std::move(asking);
    using Line = std::tuple<std::string, std::string, std::string, std::string>;
    for (const auto& [check, verdict, found, remedy] : reply.read<std::vector<Line>>())
      findings.push_back(Finding{check, read_verdict(verdict), found, remedy});
    if (wanted.thorough) {
      auto probing = probe_all(context, findings);
      co_await std::move(probing);
    }
  } catch (const Refusal& refusal) {
    if (refusal.code() != ExitCode::no_daemon) throw;
    findings.push_back(Finding{"satcheld", Verdict::bad, refusal.reason(), refusal.next()});
  }
  if (context.output == Output::json)
    context.out << json_of(findings);
  else
    print(context, findings);
  const bool bad = std::any_of(findings.begin(), findings.end(),
                               [](const auto& finding) { return finding.verdict == Verdict::bad; });
  co_return bad ? ExitCode::failed : ExitCode::done;
}

}  // namespace satchel::cli
