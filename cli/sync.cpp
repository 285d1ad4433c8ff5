// sync: merges the machine's folders into this host's and shows what came of it.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

#include "commands.hpp"
#include "names.hpp"
#include "run_job.hpp"

namespace satchel::cli {

namespace {

using Json = nlohmann::json;

/// A folder's lines as a tree: each folder on the way is named once, what is in it indented.
void print_lines(std::ostream& out, const Json& lines) {
  std::vector<std::string> open;
  for (const auto& line : lines) {
    const auto path = printable(line.value("path", std::string()));
    std::vector<std::string> parts;
    for (std::size_t from = 0; from <= path.size();) {
      const auto slash = std::min(path.find('/', from), path.size());
      parts.push_back(path.substr(from, slash - from));
      from = slash + 1;
    }
    std::size_t same = 0;
    while (same < open.size() && same + 1 < parts.size() && open[same] == parts[same]) ++same;
    open.resize(same);
    for (; same + 1 < parts.size(); ++same) {
      out << "    " << std::string(2 * same, ' ') << parts[same] << "/\n";
      open.push_back(parts[same]);
    }
    const auto text = printable(line.value("text", std::string()));
    out << "  " << printable(line.value("mark", std::string("!"))) << ' '
        << std::string(2 * same, ' ') << parts.back() << (text.empty() ? "" : ": " + text) << '\n';
  }
}

void print(std::ostream& out, const Json& report) {
  for (const auto& rule : report.value("rules", Json::array())) {
    out << printable(rule.value("guest", std::string())) << " -> "
        << printable(rule.value("to", std::string())) << '\n';
    if (rule.contains("fault")) {
      const auto& fault = rule.at("fault");
      out << "  ! " << printable(fault.value("why", std::string())) << '\n';
      continue;
    }
    print_lines(out, rule.value("lines", Json::array()));
    if (const auto more = rule.value("lines_left_out", std::uint64_t{0}); more > 0)
      out << "  … and " << more << " more\n";
    out << "  " << printable(rule.value("summary", std::string())) << " (in "
        << printable(rule.value("took", std::string())) << ")\n";
  }
}

/// None when there is none, as after a sync that could not begin.
Task<Json> report_of(Context& context, const CapsuleView& capsule, Dictionary options) {
  auto asking = context.client.ask(path_of(capsule.id), capsule_interface, "SyncReport", options);
  auto reply = co_await std::move(asking);
  auto report = Json::parse(reply.read<std::string>(), nullptr, false);
  co_return report;
}

}  // namespace

Task<ExitCode> sync(Context& context, SyncOptions options) {
  auto looking = context.client.overview();
  const auto host = co_await std::move(looking);
  const auto& capsule = find_capsule(host, options.capsule);
  Dictionary given;
  if (options.dry_run) given["dry_run"] = true;
  if (options.emptied) given["emptied"] = true;
  auto call = context.client.ask(path_of(capsule.id), capsule_interface, "Sync", given);
  auto reply = co_await std::move(call);
  const auto job = reply.read<ObjectPath>().value;
  std::optional<Refusal> refused;
  try {
    auto running = run_job(context, job, "Syncing '" + printable(capsule.name) + "'");
    co_await std::move(running);
  } catch (const Refusal& refusal) {
    if (refusal.code() == ExitCode::left_running || refusal.code() == ExitCode::cancelled) throw;
    refused = refusal;
  }
  // Folders that could be synced were, whatever became of the others.
  Dictionary which;
  if (options.dry_run) which["dry_run"] = true;
  Json report;
  try {
    auto asking = report_of(context, capsule, which);
    report = co_await std::move(asking);
  } catch (const Refusal&) {
    if (!refused) throw;
  }
  if (refused && !report.is_object()) throw *refused;
  if (context.output == Output::json)
    context.out << report.dump() << '\n';
  else
    print(context.out, report);
  if (refused) throw *refused;
  co_return ExitCode::done;
}

}  // namespace satchel::cli
