#include "runtime/disk_check.hpp"

#include <optional>
#include <stop_token>
#include <utility>

#include "base/fault.hpp"
#include "format/text.hpp"
#include "format/verification.hpp"
#include "runtime/older.hpp"
#include "runtime/pace.hpp"

namespace satchel {

namespace {

/// Below the layers: the image and the COW file.
constexpr std::size_t merged_in_place = 2;

std::string way_on(format::CapsuleDirectory& capsule, const format::Head& newest,
                   const std::string& path) {
  std::string out = "satchelctl verify " + newest.name + " tells all that is damaged. ";
  std::string without;
  // With a session's work above them, going back would give that up.
  if (!newest.checked_out) {
    const auto older = capsule.older();
    for (const auto seq : restorable(newest, older))
      if (!with_content_of(seq, newest, older)->find(path))
        without += (without.empty() ? "" : ", ") + std::to_string(seq.value);
  }
  if (!without.empty())
    out += "Generations that do without this file: " + without +
           ". To go back to one: satchelctl rollback. ";
  return out +
         "To use it as it is, set check.disks to none in satchel.yaml, restart satcheld, and "
         "export the machine to another disk.";
}

/// Of a file that is not as its head states it: whether that is no damage, because a merge or fold
/// has begun to change it since, maybe one whose commit was lost.
bool was_changed_meanwhile(format::CapsuleDirectory& capsule, const format::Head& newest,
                           const format::Object& file) {
  if (!format::is_merged_in_place(file.path)) return false;
  const auto now = capsule.examine();
  if (!now.newest || now.damaged) return true;
  const auto& head = now.newest->head;
  if (head.generation.id == newest.generation.id) return false;
  const auto* stated = head.find(file.path);
  return !stated || *stated != file || !format::under_way(head, file.path).empty();
}

/// Why a file is not to be used; none: it is as it was written.
std::optional<std::string> wrong_with(format::CapsuleDirectory& capsule, const format::Head& newest,
                                      const format::Object& file, const ProgressSink& progress,
                                      const std::stop_token& stop) {
  try {
    if (capsule.is_as_stated(file, progress, stop)) return std::nullopt;
  } catch (const Fault& fault) {
    if (fault.remedy() == Remedy::retry) throw;
    // A bad place of the device, or all of it: the examination throws then.
    const auto now = capsule.examine();
    if (!now.newest) throw;
    if (now.newest->head.generation.id != newest.generation.id)
      throw Fault(Remedy::retry,
                  Fault::Text{"use",
                              file.path + " of " + newest.name,
                              "the device was written to meanwhile: " + fault.text().why,
                              {}});
    return "it can't be used: " + fault.text().why;
  }
  if (was_changed_meanwhile(capsule, newest, file)) return std::nullopt;
  return "it is not what was written to the device: it was changed or damaged";
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
      if (!object && older && !format::is_merged_in_place(chain[i])) object = older->find(chain[i]);
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
    if (auto wrong = wrong_with(capsule, newest, file, told, job.stop))
      throw Fault(Remedy::other_device,
                  Fault::Text{"use", file.path + " of " + newest.name, std::move(*wrong),
                              way_on(capsule, newest, file.path)});
  }
}

}  // namespace satchel
