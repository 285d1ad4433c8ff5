#include "runtime/disk_check.hpp"

#include <algorithm>
#include <utility>

#include "base/fault.hpp"
#include "format/verification.hpp"
#include "runtime/older.hpp"
#include "runtime/pace.hpp"

namespace satchel {

namespace {

/// Below the layers: the image and the COW file.
constexpr std::size_t merged_in_place = 2;

std::string way_on(format::CapsuleDirectory& capsule, const format::Head& newest,
                   const std::string& path) {
  const auto older = capsule.older();
  std::string without;
  for (const auto seq : restorable(newest, older))
    if (!with_content_of(seq, newest, older)->find(path))
      without += (without.empty() ? "" : ", ") + std::to_string(seq.value);
  const std::string all = "satchelctl verify " + newest.name + " tells all that is damaged. ";
  if (!without.empty())
    return all + "Generations that do without this file: " + without +
           ". To go back to one: satchelctl rollback.";
  return all +
         "No other generation on the device does without this file. To use it as it is: "
         "check.disks: none, in satchel.yaml.";
}

}  // namespace

std::vector<format::Object> files_to_check(const Config& config, DiskUse use,
                                           const format::Head& newest,
                                           const std::vector<std::vector<std::string>>& chains,
                                           const format::Head* older) {
  std::vector<format::Object> out;
  const auto how = config.check.disks;
  if (how == DisksChecked::none) return out;
  const bool layers_only = how == DisksChecked::layers && use == DiskUse::by_guest;
  for (const auto& chain : chains)
    for (std::size_t i = layers_only ? merged_in_place : 0; i < chain.size(); ++i) {
      const auto* object = newest.find(chain[i]);
      if (!object && older) object = older->find(chain[i]);
      if (object && format::under_way(newest, chain[i]).empty()) out.push_back(*object);
    }
  return out;
}

std::vector<std::vector<std::string>> chains_of(const format::Head& head) {
  std::vector<std::vector<std::string>> out;
  for (const auto& disk : head.disks) out.push_back(disk.chain);
  return out;
}

ByteCount size_of(const std::vector<format::Object>& files) {
  ByteCount sum;
  for (const auto& file : files) sum = sum + file.size;
  return sum;
}

void compare_disks(format::CapsuleDirectory& capsule, const format::Head& newest,
                   const std::vector<format::Object>& files, const JobContext& job,
                   ByteCount rate) {
  Pace pace(rate);
  for (const auto& file : files) {
    ByteCount read;
    const auto told = [&, tell = job.meter->begin("checking " + file.path)](const Progress& far) {
      pace.spend(ByteCount(far.done.value - std::exchange(read, far.done).value), job.stop);
      tell(far);
    };
    if (capsule.is_as_stated(file, told, job.stop)) continue;
    throw Fault(Remedy::other_device,
                Fault::Text{"use", file.path + " of " + newest.name,
                            "it is not what was written to the device: it was changed or damaged",
                            way_on(capsule, newest, file.path)});
  }
}

}  // namespace satchel
