// The commit of a generation, in the order that docs/DEVICE-FORMAT.md gives and explains.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <vector>

#include "format/capsule_state.hpp"

namespace satchel::format {
namespace {

class Commit {
 public:
  Commit(CapsuleDirectory::State& capsule, const Head& head, const HostKey& key)
      : capsule_(capsule), head_(head), bytes_(write_head(head, key)) {
    signed_ = SignedHead{head, key.public_key(), digest_of(bytes_)};
  }

  /// Reads the slots anew and refuses what does not continue what they say.
  void require_continuation() {
    if (head_.capsule != capsule_.id)
      throw refused(Remedy::report_bug, "it belongs to another capsule");
    capsule_.look();
    capsule_.require_writable("commit to");
    const auto& newest = capsule_.found->examination.newest;
    const Generation& next = head_.generation;
    const bool continues = newest ? next.seq.value == newest->head.generation.seq.value + 1 &&
                                        next.parent == newest->head.generation.id
                                  : next.seq.value == 1 && !next.parent;
    // What can't be read may be the very generation that this one continues.
    const auto problem = capsule_.found->examination.first_problem();
    if (!continues && problem) throw refused(Remedy::retry, *problem);
    if (!continues)
      throw refused(Remedy::choose,
                    newest ? "it does not continue generation " +
                                 std::to_string(newest->head.generation.seq.value) +
                                 ", the newest here: another history was committed meanwhile"
                           : "the capsule is empty, and this is no first generation");
    for (const auto& object : head_.objects) require_durable(object);
  }

  SignedHead run() {
    sync_directories();
    write_head_file();
    const std::size_t slot = 1 - capsule_.found->newest.value_or(1);
    write_record(slot);
    remember(slot);
    return signed_;
  }

 private:
  Fault refused(Remedy remedy, std::string why) const {
    return Fault(remedy, {"commit",
                          "generation " + std::to_string(head_.generation.seq.value) + " to " +
                              capsule_.shown(),
                          std::move(why),
                          {}});
  }

  void require_durable(const Object& object) {
    const auto& work = *capsule_.work;
    const auto written = work.finished.find(object.path);
    const bool finished = written != work.finished.end() && written->second == object;
    const Examination& known = capsule_.found->examination;
    const auto named_by = [&](const std::optional<SignedHead>& head) {
      const Object* same = head ? head->head.find(object.path) : nullptr;
      return same && *same == object;
    };
    if (!finished && !named_by(known.newest) && !named_by(known.previous) && !named_before(object))
      throw refused(Remedy::report_bug, object.path + " was not written through to the device");
    if (const auto wrong = capsule_.wrong_with(object))
      throw refused(Remedy::replug, object.path + ": " + *wrong);
  }

  /// Whether an older generation has just this object.
  bool named_before(const Object& object) {
    if (!older_) older_ = capsule_.older().heads;
    return std::ranges::any_of(*older_, [&](const Head& head) {
      const Object* same = head.find(object.path);
      return same && *same == object;
    });
  }

  void sync_directories() {
    for (const auto& name : capsule_.work->directories)
      if (!name.empty()) sync_directory(capsule_.directories.at(name).get(), capsule_.shown(name));
    if (capsule_.work->directories.contains(""))
      sync_directory(capsule_.dir.get(), capsule_.shown());
  }

  // A file of this name is what an interrupted commit left; no complete generation has this number.
  void write_head_file() {
    const std::string path = head_path(head_.generation.seq);
    const std::string name = path.substr(path.find('/') + 1);
    const std::string shown = capsule_.shown(path);
    const UniqueFd heads =
        or_fault(open_directory(capsule_.dir.get(), "heads"), "open", capsule_.shown("heads"));
    remove_file(heads.get(), name, shown);
    const UniqueFd file = create_file(heads.get(), name, shown);
    write_at(file.get(), 0, std::as_bytes(std::span(bytes_)), shown);
    sync_file(file.get(), shown);
    sync_directory(heads.get(), capsule_.shown("heads"));
    require_on_medium(path, bytes_);
  }

  void write_record(std::size_t slot) {
    const Generation& generation = head_.generation;
    record_ = SlotRecord{generation.seq, generation.id, generation.parent, signed_.digest};
    const SlotBytes bytes = write_slot(record_);
    const std::string path = slot_paths[slot];
    const std::string shown = capsule_.shown(path);
    const UniqueFd file = or_fault(open_file(capsule_.dir.get(), path, O_WRONLY), "open", shown);
    write_at(file.get(), 0, bytes, shown);
    if (::fdatasync(file.get()) != 0)
      throw fault_from_errno(errno, "write through to the device", shown);
    require_on_medium(path,
                      std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }

  void require_on_medium(const std::string& path, std::string_view wanted) const {
    const std::string shown = capsule_.shown(path);
    const auto read =
        or_fault(read_past_cache(capsule_.dir.get(), path, largest_head), "read back", shown);
    if (read.bytes != wanted)
      throw Fault(Remedy::other_device,
                  {"read back", shown, "the device gives back something else than what was written",
                   "The device is failing or counterfeit: use another one."});
  }

  void remember(std::size_t slot) {
    Found& found = *capsule_.found;
    found.examination.previous = std::move(found.examination.newest);
    found.examination.newest = signed_;
    found.examination.problems.clear();
    found.slots[slot] = SlotFound{SlotState::valid, record_, signed_, true};
    found.newest = slot;
    capsule_.work->claimed.clear();
    capsule_.work->finished.clear();
    capsule_.work->directories.clear();
  }

  CapsuleDirectory::State& capsule_;
  const Head& head_;
  std::optional<std::vector<Head>> older_;  ///< read when an object of theirs is named
  std::string bytes_;
  SignedHead signed_;
  SlotRecord record_;
};

}  // namespace

SignedHead CapsuleDirectory::commit(const Head& head, const HostKey& key) {
  Commit commit(*state_, head, key);
  state_->work->require_usable();
  commit.require_continuation();
  return state_->work->guard([&] { return commit.run(); });
}

}  // namespace satchel::format
