// merge, fold, compact
#include <ostream>

#include "commands.hpp"
#include "names.hpp"
#include "run_job.hpp"

namespace satchel::cli {

namespace {

Task<ExitCode> tend(Context& context, UpkeepOptions options, std::string method, std::string begun,
                    std::string closing) {
  auto asking = context.client.overview();
  const auto host = co_await std::move(asking);
  const auto& capsule = find_capsule(host, options.capsule);
  const auto name = "'" + printable(capsule.name) + "'";
  Dictionary given;
  if (options.although_needed) given["although_needed"] = true;
  auto calling = context.client.ask(path_of(capsule.id), capsule_interface, method, given);
  auto reply = co_await std::move(calling);
  auto running = run_job(context, reply.read<ObjectPath>().value, begun + " " + name);
  std::vector<JobEnd> ends;
  ends.push_back(co_await std::move(running));
  auto looking = context.client.overview();
  const auto after = co_await std::move(looking);
  const auto& now = find_capsule(after, capsule.id.value.str());
  const bool was_done = !ends.front().message.starts_with("There was nothing");
  close(context, ends, now.can_unplug, was_done ? name + " " + closing : std::string());
  co_return ExitCode::done;
}

}  // namespace

Task<ExitCode> merge(Context& context, UpkeepOptions options) {
  return tend(context, std::move(options), "Merge", "Merging the layers of", "has no layers now.");
}

Task<ExitCode> fold(Context& context, UpkeepOptions options) {
  return tend(context, std::move(options), "Fold", "Folding the disks of",
              "has all its changes in its image files now.");
}

Task<ExitCode> compact(Context& context, UpkeepOptions options) {
  return tend(context, std::move(options), "Compact", "Compacting the memory of",
              "has its memory in one piece now.");
}

}  // namespace satchel::cli
