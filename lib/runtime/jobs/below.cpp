#include "runtime/jobs/below.hpp"

#include <memory>
#include <utility>
#include <vector>

#include "base/fault.hpp"
#include "format/capsule_directory.hpp"

namespace satchel {

namespace {

std::vector<std::vector<std::string>> chains_of(const Session& session) {
  std::vector<std::vector<std::string>> out;
  for (const auto& disk : session.disks) out.push_back(disk.chain);
  return out;
}

}  // namespace

Below below_on(const Stick& stick, const Session& session, const std::string& deed) {
  const auto capsule = std::make_shared<format::CapsuleDirectory>(
      format::CapsuleDirectory::open(stick.root()->get(), session.capsule));
  auto seen = capsule->examine();
  if (!seen.newest)
    throw Fault(Remedy::choose,
                Fault::Text{deed, session.capsule_name, "no generation on the device is complete",
                            "What this computer wrote is kept."});
  return {std::move(seen.newest->head),
          [capsule](const format::Object& object) {
            return capsule->open_checked(object, format::CapsuleDirectory::Access::read);
          },
          capsule};
}

void compare_below(const Parts& parts, const Below& below, const Session& session, DiskUse use,
                   const JobContext& job) {
  if (!below.capsule) return;
  const auto files = files_to_check(parts.config, use, below.head, chains_of(session));
  compare_disks(*below.capsule, below.head, files, job);
}

Below below_on_copies(const Parts& parts, const Session& session, const std::string& deed,
                      const JobContext& job) {
  auto head = parts.disks->kept(session.capsule);
  if (!head || head->generation.id != session.base)
    throw Fault(Remedy::replug,
                Fault::Text{deed, session.capsule_name,
                            head ? "what this computer keeps of its disks is older than what the "
                                   "machine wrote to"
                                 : "this computer has no complete copy of its disks",
                            "It needs its device. Copies are made while a machine runs that is at "
                            "home here: see cache.disks in satchel.yaml."});
  job.meter->expect(size_of(DiskCache::files_of(*head)));
  parts.disks->check(*head, job.meter->begin("checking its disks"), job.stop);
  return {std::move(*head),
          [cache = parts.disks, id = session.capsule](const format::Object& object) {
            return cache->open(id, object);
          },
          nullptr};
}

}  // namespace satchel
