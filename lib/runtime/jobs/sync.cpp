#include "runtime/jobs/sync.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/fault.hpp"
#include "format/capsule_directory.hpp"
#include "runtime/chains.hpp"
#include "runtime/disk_check.hpp"
#include "runtime/sync_worker.hpp"

namespace satchel {

namespace {

using nlohmann::json;

constexpr std::size_t most_lines_told = 200;

/// The generation and its disks, open.
struct Opened {
  format::Head head;
  std::vector<OpenDisk> disks;
};

Opened open_newest(const Parts& parts, const Stick& stick, CapsuleId id, const JobContext& job) {
  const auto root = stick.root();
  auto capsule = format::CapsuleDirectory::open(root->get(), id);
  auto seen = capsule.examine();
  if (!seen.newest)
    throw Fault(
        Remedy::other_device,
        Fault::Text{"read", "the machine on the device", "no generation on it is complete", {}});
  Opened out{std::move(seen.newest->head), {}};
  check_length(out.head);
  const auto files = files_to_check(parts.config, DiskUse::by_guest, out.head, chains_of(out.head));
  compare_disks(capsule, out.head, files, job);
  for (const auto& disk : out.head.disks)
    out.disks.push_back({disk.target, open_chain(capsule, out.head, disk)});
  return out;
}

void make_states_directory(const std::filesystem::path& place) {
  // Its owners pass through to what is theirs.
  if (::mkdir(place.c_str(), 0711) != 0 && errno != EEXIST)
    throw fault_from_errno(errno, "make", place.string());
}

/// The rules by owner, in the order of the settings.
std::vector<std::vector<SyncRule>> by_owner(const std::vector<SyncRule>& rules) {
  std::vector<std::vector<SyncRule>> out;
  for (const auto& rule : rules) {
    const auto same = std::find_if(out.begin(), out.end(), [&](const auto& group) {
      return group.front().owner == rule.owner;
    });
    if (same == out.end())
      out.push_back({rule});
    else
      same->push_back(rule);
  }
  return out;
}

WorkerRun worker_run(const Parts& parts, const SyncOrder& order, const Opened& opened,
                     const std::vector<SyncRule>& rules) {
  WorkerRun run{{}, {}, opened.disks, {}, {}};
  std::vector<std::string> folders;
  for (const auto& rule : rules) {
    run.order.rules.push_back({rule.guest, rule.to, rule.trash_days});
    folders.push_back(rule.to);
  }
  const auto& owner = rules.front().owner;
  run.command = parts.sync_command(owner, folders);
  run.order.owner = owner;
  run.order.state = (parts.state_directory / "sync" / owner).string();
  run.order.capsule = order.capsule.value.str();
  run.order.capsule_name = opened.head.name;
  run.order.as_of = UnixNanos(static_cast<std::int64_t>(opened.head.generation.time.value) * 1000);
  run.order.extent = order.extent;
  run.order.emptiness = order.emptiness;
  for (const auto& disk : opened.disks) run.order.disks.push_back(disk.target);
  return run;
}

std::string sentence(const sync::RuleEnd& end) {
  return end.fault ? end.fault->what() : sync::summary(end.report);
}

void add_lines(std::vector<SyncedLine>& out, const sync::RuleEnd& end) {
  const auto where = end.guest + " -> " + end.to + ": ";
  out.push_back(
      {end.fault ? LogLevel::warning : LogLevel::info, where + sentence(end), end.report.counts});
  std::size_t told = 0;
  for (const auto& each : end.report.lines) {
    if (each.mark != sync::Mark::attention || ++told > most_lines_told) continue;
    out.push_back({LogLevel::info, where + each.path + ": " + each.text, {}});
  }
}

Synced told(const SyncOrder& order, const format::Head& head, UnixMicros now,
            const std::vector<sync::RuleEnd>& ends) {
  Synced out;
  json rules = json::array();
  std::string message;
  for (const auto& end : ends) {
    rules.push_back(json::parse(sync::rule_json(end)));
    add_lines(out.lines, end);
    if (end.fault && !out.fault) out.fault = end.fault;
    if (ends.size() > 1) message += (message.empty() ? "" : "; ") + end.to + ": ";
    message += sentence(end);
  }
  auto& record = out.record;
  record.capsule = order.capsule;
  record.time = now;
  record.generation = head.generation.seq;
  record.generation_id = head.generation.id;
  record.message = std::move(message);
  record.report = json{{"generation", head.generation.seq.value},
                       {"dry_run", order.extent == sync::Extent::dry_run},
                       {"rules", std::move(rules)}}
                      .dump();
  record.outcome = out.fault ? SyncRecord::Outcome::incomplete : SyncRecord::Outcome::complete;
  return out;
}

}  // namespace

Task<Synced> sync_files(Parts& parts, SyncOrder order, JobContext job) {
  if (!parts.sync_command)
    throw Fault(Remedy::later_version,
                Fault::Text{"sync", "files", "this build of satcheld has no worker for it", {}});
  job.meter->name("reading the newest generation");
  auto opening =
      offload(parts.lanes.files, [&parts, &job, stick = order.stick, id = order.capsule] {
        make_states_directory(parts.state_directory / "sync");
        return open_newest(parts, *stick, id, job);
      });
  const auto opened = co_await std::move(opening);
  std::vector<sync::RuleEnd> ends;
  const auto groups = by_owner(order.rules);
  for (const auto& group : groups) {
    auto run = worker_run(parts, order, opened, group);
    run.stop = job.stop;
    auto step = std::make_shared<std::pair<std::string, ProgressSink>>();
    run.progress = [meter = job.meter, step](const Progress& far) {
      if (far.step != step->first || !step->second) {
        step->first = far.step;
        step->second = meter->begin(far.step);
      }
      step->second(far);
    };
    auto working = offload(parts.lanes.slow, [&run] { return run_sync_worker(run); });
    auto some = co_await std::move(working);
    std::move(some.begin(), some.end(), std::back_inserter(ends));
  }
  co_return told(order, opened.head, parts.now(), ends);
}

}  // namespace satchel
