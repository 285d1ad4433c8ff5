#include "runtime/jobs/verify.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "format/capsule_directory.hpp"

namespace satchel {

namespace {

using nlohmann::json;

constexpr std::size_t most_lines = 20;

/// The core tells how far it is in the whole, the meter wants it by steps.
ProgressSink stepwise(std::shared_ptr<Meter> meter) {
  struct Step {
    std::string name;
    std::uint64_t before = 0;
    std::uint64_t done = 0;
    ProgressSink sink;
  };
  return [meter = std::move(meter), step = std::make_shared<Step>()](const Progress& far) {
    if (!step->sink || far.step != step->name) {
      step->name = far.step;
      step->before = step->done;
      step->sink = meter->begin(far.step);
    }
    step->done = far.done.value;
    meter->expect(far.total);
    step->sink(Progress{far.step, ByteCount(far.done.value - step->before), {}});
  };
}

json numbers(const std::vector<Sequence>& generations) {
  json out = json::array();
  for (const auto& each : generations) out.push_back(each.value);
  return out;
}

bool is_of_memory(const format::Flaw& flaw) { return flaw.path.starts_with("memory/"); }

}  // namespace

Task<format::Verification> verify_capsule(Parts& parts, VerifyOrder order, JobContext job) {
  job.meter->name("reading the newest generations");
  auto reading = offload(parts.lanes.files, [order = std::move(order), job] {
    const auto root = order.stick->root();
    const auto capsule = format::CapsuleDirectory::open(root->get(), order.capsule);
    return capsule.verify(stepwise(job.meter), job.stop);
  });
  co_return co_await std::move(reading);
}

bool may_have_damaged_memory(const format::Verification& found) {
  return std::ranges::any_of(found.flaws, [](const format::Flaw& each) {
    return is_of_memory(each) ||
           (each.kind == format::Flaw::Kind::damaged && each.path.ends_with(".qcow2"));
  });
}

bool has_damaged_memory_alone(const format::Verification& found) {
  return !found.flaws.empty() && std::ranges::all_of(found.flaws, is_of_memory);
}

std::string next_step(const Verified& verified) {
  const auto& found = verified.found;
  if (found.is_whole()) return {};
  const bool unsettled_only = std::all_of(found.flaws.begin(), found.flaws.end(), [](auto& each) {
    return each.kind == format::Flaw::Kind::unsettled;
  });
  const auto& name = verified.name;
  if (unsettled_only) {
    const bool fold = found.flaws.front().path.ends_with("/image.qcow2");
    return "Have it done to its end and verify again: satchelctl " +
           std::string(fold ? "fold" : "merge") + " " + name;
  }
  const auto whole = found.newest_whole();
  const bool newest_is_whole = whole && *whole == found.kept.front().seq;
  if (verified.lives_here && !newest_is_whole && has_damaged_memory_alone(found))
    return "The machine runs on, and its next eject writes all of its memory anew. Eject it, and "
           "use "
           "another device soon: satchelctl eject " +
           name;
  if (!whole)
    return "No generation is whole. Copy what can be read (satchelctl export " + name +
           " --to DIRECTORY), and use another device.";
  const auto number = std::to_string(whole->value);
  if (newest_is_whole)
    return "The newest generation, " + number +
           ", is whole, and the machine goes on from it. Take a copy before the device fails "
           "more: satchelctl export " +
           name + " --to DIRECTORY";
  return "Generation " + number + " is whole. Go back to it (satchelctl rollback " + name + " " +
         number + "), or take a copy of it (satchelctl export " + name + " --generation " + number +
         " --to DIRECTORY), and use another device.";
}

std::string report_of(const Verified& verified) {
  const auto& found = verified.found;
  json generations = json::array();
  for (const auto& each : found.kept)
    generations.push_back({{"generation", each.seq.value},
                           {"whole", each.verdict == format::Verification::Kept::Verdict::whole}});
  json findings = json::array();
  for (const auto& flaw : found.flaws)
    findings.push_back({{"path", flaw.path},
                        {"generations", numbers(flaw.generations)},
                        {"what", flaw.what},
                        {"damaged", flaw.kind == format::Flaw::Kind::damaged},
                        {"sentence", flaw.sentence()}});
  const auto newest = found.newest_whole();
  return json{{"job", verified.job.value},
              {"capsule", verified.capsule.value.str()},
              {"name", verified.name},
              {"time", verified.time.value},
              {"whole", found.is_whole()},
              {"files", found.files},
              {"bytes", found.read.value},
              {"generations", std::move(generations)},
              {"newest_whole", newest ? json(newest->value) : json()},
              {"findings", std::move(findings)},
              {"not_needed", found.not_needed},
              {"next_step", next_step(verified)}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<Fault> fault_of(const Verified& verified) {
  const auto& flaws = verified.found.flaws;
  if (flaws.empty()) return std::nullopt;
  std::string why = "of what its kept generations need, not all is as it was written:";
  for (std::size_t i = 0; i < flaws.size() && i < most_lines; ++i)
    why += (i == 0 ? " " : "; ") + flaws[i].sentence();
  if (flaws.size() > most_lines)
    why += "; and " + std::to_string(flaws.size() - most_lines) + " more";
  return Fault(Remedy::other_device,
               Fault::Text{"vouch for", verified.name, std::move(why), next_step(verified)});
}

}  // namespace satchel
