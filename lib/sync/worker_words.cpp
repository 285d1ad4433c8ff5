#include "sync/worker_words.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace satchel::sync {

namespace {

using nlohmann::json;

constexpr std::size_t most_lines = 2000;
constexpr std::size_t longest_path = 400;
constexpr std::array all_remedies{Remedy::retry,        Remedy::replug,     Remedy::free_space,
                                  Remedy::other_device, Remedy::fix_config, Remedy::fix_request,
                                  Remedy::ask_admin,    Remedy::choose,     Remedy::later_version,
                                  Remedy::report_bug};

/// The counts by name, for writing and for reading.
template <class C, class F>
void each_count(C& counts, const F& use) {
  use("guest_entries", counts.guest_entries);
  use("host_entries", counts.host_entries);
  use("added", counts.added);
  use("updated", counts.updated);
  use("restamped", counts.restamped);
  use("trashed", counts.trashed);
  use("conflicts", counts.conflicts);
  use("brought_back", counts.brought_back);
  use("kept", counts.kept);
  use("already_equal", counts.already_equal);
  use("skipped", counts.skipped);
  use("read", counts.read.value);
  use("written", counts.written.value);
}

std::string cut(std::string text) {
  if (text.size() <= longest_path) return text;
  auto end = longest_path;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80) --end;
  return text.substr(0, end) + "…";
}

json json_of(const Fault& fault) {
  return {{"remedy", to_string(fault.remedy())},
          {"doing", harmless(fault.text().doing)},
          {"object", cut(harmless(fault.text().object))},
          {"why", cut(harmless(fault.text().why))},
          {"next", cut(harmless(fault.text().next))}};
}

Fault fault_of(const json& from) {
  auto remedy = Remedy::report_bug;
  for (const auto each : all_remedies)
    if (to_string(each) == from.at("remedy").get<std::string>()) remedy = each;
  const auto text = [&](const char* key) { return harmless(from.at(key).get<std::string>()); };
  return Fault(remedy, Fault::Text{text("doing"), text("object"), text("why"), text("next")});
}

template <typename Took, typename Call>
void each_duration(Took& took, Call call) {
  call("starting", took.starting);
  call("finding", took.finding);
  call("listing_guest", took.listing_guest);
  call("scanning_host", took.scanning_host);
  call("planning", took.planning);
  call("applying", took.applying);
}

json json_of(const RuleEnd& end) {
  json out{{"guest", end.guest}, {"to", end.to}};
  if (end.fault) {
    out["fault"] = json_of(*end.fault);
    return out;
  }
  json counts = json::object();
  each_count(end.report.counts, [&](const char* name, auto value) { counts[name] = value; });
  json lines = json::array();
  for (const auto& line : end.report.lines) {
    if (lines.size() == most_lines) break;
    lines.push_back({{"mark", std::string(1, sign(line.mark))},
                     {"path", cut(harmless(line.path))},
                     {"text", cut(harmless(line.text))}});
  }
  json seconds = json::object();
  each_duration(end.report.durations,
                [&](const char* name, double value) { seconds[name] = value; });
  out["counts"] = std::move(counts);
  out["lines_left_out"] = end.lines_left_out + end.report.lines.size() - lines.size();
  out["lines"] = std::move(lines);
  out["seconds"] = std::move(seconds);
  out["summary"] = summary(end.report);
  out["took"] = summary(end.report.durations);
  return out;
}

/// A whole number that is not negative; get() would make something of any.
std::uint64_t whole(const json& from) { return from.get_ref<const json::number_unsigned_t&>(); }

Mark mark_of(const std::string& text) {
  for (const auto mark : {Mark::added, Mark::changed, Mark::removed})
    if (text == std::string(1, sign(mark))) return mark;
  return Mark::attention;
}

RuleEnd rule_of(const json& from) {
  RuleEnd out;
  out.guest = harmless(from.at("guest").get<std::string>());
  out.to = harmless(from.at("to").get<std::string>());
  if (from.contains("fault")) {
    out.fault = fault_of(from.at("fault"));
    return out;
  }
  each_count(out.report.counts, [&](const char* name, std::uint64_t& value) {
    value = whole(from.at("counts").at(name));
  });
  out.lines_left_out = whole(from.at("lines_left_out"));
  for (const auto& line : from.at("lines")) {
    if (out.report.lines.size() == most_lines) break;
    out.report.lines.push_back(Line{mark_of(line.at("mark").get<std::string>()),
                                    cut(harmless(line.at("path").get<std::string>())),
                                    cut(harmless(line.at("text").get<std::string>()))});
  }
  each_duration(out.report.durations, [&](const char* name, double& value) {
    value = from.at("seconds").at(name).get<double>();
  });
  return out;
}

}  // namespace

std::string to_json(const WorkOrder& order) {
  json rules = json::array();
  for (const auto& rule : order.rules)
    rules.push_back({{"guest", rule.guest}, {"to", rule.to}, {"trash_days", rule.trash_days}});
  return json{{"owner", order.owner},
              {"state", order.state},
              {"capsule", order.capsule},
              {"capsule_name", harmless(order.capsule_name)},
              {"as_of", order.as_of.value},
              {"dry_run", order.extent == Extent::dry_run},
              {"emptied", order.emptiness == Emptiness::meant},
              {"disks", order.disks},
              {"rules", std::move(rules)}}
      .dump();
}

Result<WorkOrder> parse_order(std::string_view line) {
  try {
    const auto from = json::parse(line);
    WorkOrder out;
    from.at("owner").get_to(out.owner);
    from.at("state").get_to(out.state);
    from.at("capsule").get_to(out.capsule);
    from.at("capsule_name").get_to(out.capsule_name);
    from.at("as_of").get_to(out.as_of.value);
    if (from.at("dry_run").get<bool>()) out.extent = Extent::dry_run;
    if (from.at("emptied").get<bool>()) out.emptiness = Emptiness::meant;
    from.at("disks").get_to(out.disks);
    for (const auto& rule : from.at("rules"))
      out.rules.push_back({rule.at("guest").get<std::string>(), rule.at("to").get<std::string>(),
                           rule.at("trash_days").get<unsigned>()});
    return out;
  } catch (const json::exception& wrong) {
    return mistake("the order", wrong.what());
  }
}

std::string to_json(const WorkNews& news) {
  if (const auto* progress = std::get_if<Progress>(&news))
    return json{{"progress",
                 {{"step", progress->step},
                  {"done", progress->done.value},
                  {"total", progress->total.value}}}}
        .dump();
  if (const auto* rule = std::get_if<RuleEnd>(&news)) return json{{"rule", json_of(*rule)}}.dump();
  return json{{"fault", json_of(std::get<Fault>(news))}}.dump();
}

Result<WorkNews> parse_news(std::string_view line) {
  try {
    const auto from = json::parse(line);
    if (from.contains("progress")) {
      const auto& progress = from.at("progress");
      return WorkNews(Progress{cut(harmless(progress.at("step").get<std::string>())),
                               ByteCount(whole(progress.at("done"))),
                               ByteCount(whole(progress.at("total")))});
    }
    if (from.contains("rule")) return WorkNews(rule_of(from.at("rule")));
    return WorkNews(fault_of(from.at("fault")));
  } catch (const json::exception& wrong) {
    return mistake("the worker's words", wrong.what());
  }
}

std::string rule_json(const RuleEnd& end) { return json_of(end).dump(); }

}  // namespace satchel::sync
