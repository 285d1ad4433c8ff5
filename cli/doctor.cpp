// doctor: what this host has and lacks for the work, and what to do about it.
#include <algorithm>
#include <ostream>
#include <tuple>

#include "commands.hpp"
#include "json.hpp"

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

}  // namespace

Task<ExitCode> doctor(Context& context, Measuring measuring) {
  std::vector<Finding> findings;
  try {
    Dictionary options;
    if (measuring == Measuring::yes) options["measure"] = true;
    auto asking = context.client.ask(root_path, manager_interface, "Diagnose", options);
    auto reply = co_await std::move(asking);
    using Line = std::tuple<std::string, std::string, std::string, std::string>;
    for (const auto& [check, verdict, found, remedy] : reply.read<std::vector<Line>>())
      findings.push_back(Finding{check, read_verdict(verdict), found, remedy});
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
