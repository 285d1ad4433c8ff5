// Reads both slots, their heads, and whether the objects that these name are there.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "format/capsule_state.hpp"
#include "format/text.hpp"

namespace satchel::format {
namespace {

class Look {
 public:
  Look(const CapsuleDirectory::State& capsule, int dir) : capsule_(capsule), dir_(dir) {}

  Found run() {
    for (std::size_t i = 0; i < 2; ++i) read(i);
    if (medium_error_ != 0) require_that_the_device_still_reads();
    choose();
    if (examination().unknown_version) {
      // The newest generation may be one that this version can't see: none is offered.
      problem("A later version of Satchel wrote to this capsule (format " +
              std::to_string(*examination().unknown_version) + "); this one leaves it alone.");
      found_.newest.reset();
      examination().newest.reset();
      examination().damaged.reset();
      examination().previous.reset();
    }
    return std::move(found_);
  }

 private:
  Examination& examination() { return found_.examination; }
  void problem(std::string sentence) { examination().problems.push_back(std::move(sentence)); }

  void note_dropped() {
    static const std::string note =
        "This filesystem refuses reads past the page cache (O_DIRECT); the cache is dropped "
        "before each instead.";
    auto& notes = examination().notes;
    if (std::ranges::find(notes, note) == notes.end()) notes.push_back(note);
  }

  void read(std::size_t index) {
    SlotFound& slot = found_.slots[index];
    const std::string name = "Commit record " + std::to_string(index);
    auto bytes = read_past_cache(dir_, slot_paths[index], sizeof(SlotBytes));
    if (!bytes) {
      lost(bytes.error(), slot_paths[index], name);
      return;
    }
    if (bytes->how == CacheBypass::dropped) note_dropped();
    const SlotReading reading = read_slot(std::as_bytes(std::span(bytes->bytes)));
    slot.state = reading.state;
    slot.record = reading.record;
    if (slot.state == SlotState::torn) problem(name + " is torn.");
    if (slot.state == SlotState::unknown_version) unknown(reading.version);
    if (slot.state == SlotState::valid) read_generation(slot);
  }

  void unknown(std::uint32_t version) {
    auto& known = examination().unknown_version;
    known = std::max(known.value_or(0), version);
  }

  // An unreadable sector counts like a torn one: it is what a power cut may leave. Errors of this
  // computer are no statement about the device and end the look.
  void lost(int error, const std::string& path, const std::string& name) {
    if (!is_foreign_error(error)) throw fault_from_errno(error, "read", capsule_.shown(path));
    if (is_medium_error(error)) medium_error_ = error;
    problem(name + " can't be read: " + why_of(error) + ".");
  }

  // Tells a bad sector from a device that was pulled while we looked.
  void require_that_the_device_still_reads() {
    for (const char* path : slot_paths)
      if (read_past_cache(dir_, path, sizeof(SlotBytes))) return;
    throw fault_from_errno(medium_error_, "read", capsule_.shown());
  }

  void read_generation(SlotFound& slot) {
    const SlotRecord& record = *slot.record;
    const std::string path = head_path(record.seq);
    const std::string name = "The head of generation " + std::to_string(record.seq.value);
    const auto bytes = read_whole(dir_, path, largest_head);
    if (!bytes) return lost(bytes.error(), path, name);
    if (digest_of(*bytes) != record.head)
      return problem(name + " is not the one that was committed.");
    auto head = read_head(*bytes);
    if (!head) {
      const auto version = version_of(*bytes);
      if (version && !is_known_version(*version)) return unknown(*version);
      return problem(name + " is damaged: " + to_string(head.error()) + ".");
    }
    const Generation& generation = head->head.generation;
    if (head->head.capsule != capsule_.id || generation.seq != record.seq ||
        generation.id != record.id || generation.parent != record.parent)
      return problem(name + " belongs to another capsule or generation.");
    slot.complete = true;
    for (const auto& object : head->head.objects)
      if (const auto wrong = capsule_.wrong_with(object)) {
        slot.complete = false;
        problem("Generation " + std::to_string(record.seq.value) +
                " is incomplete: " + object.path + ": " + *wrong + ".");
      }
    slot.head = std::move(*head);
  }

  void choose() {
    const auto& [a, b] = found_.slots;
    if (a.complete && b.complete) {
      if (a.record->seq == b.record->seq)
        return problem("Both commit records claim generation " +
                       std::to_string(a.record->seq.value) + ": two histories met here.");
      found_.newest = a.record->seq > b.record->seq ? 0 : 1;
      const auto& newer = found_.slots[*found_.newest];
      const auto& older = found_.slots[1 - *found_.newest];
      if (newer.record->parent != older.record->id)
        problem("Generation " + std::to_string(newer.record->seq.value) +
                " does not continue generation " + std::to_string(older.record->seq.value) +
                ", which is here beside it.");
      examination().previous = older.head;
    } else if (a.complete || b.complete) {
      found_.newest = a.complete ? 0 : 1;
    } else {
      return;
    }
    examination().newest = found_.slots[*found_.newest].head;
    const auto& other = found_.slots[1 - *found_.newest];
    if (!other.complete && other.record &&
        other.record->seq > found_.slots[*found_.newest].record->seq)
      examination().damaged = other.record->seq;
    else if (!other.record && !may_be_blank(other) && has_next())
      note_lost_record();
  }

  /// Beside the first generation there was no other record yet: an interrupted commit of the second
  /// leaves its head, and nothing in the slot.
  bool may_be_blank(const SlotFound& other) const {
    return newest_generation().seq == Sequence(1) && other.state == SlotState::empty;
  }

  /// Of a generation beside the newest whose commit record can't be had: whether it came after. An
  /// interrupted commit leaves its head as well, but then the other record is one of before.
  bool has_next() const {
    const auto& newest = newest_generation();
    const auto bytes = read_whole(dir_, head_path(next_after(newest.seq)), largest_head);
    if (!bytes) return false;
    const auto head = read_head(*bytes);
    return head && head->head.capsule == capsule_.id &&
           head->head.generation.seq == next_after(newest.seq) &&
           head->head.generation.parent == newest.id &&
           std::ranges::none_of(head->head.objects, [&](const Object& object) {
             return capsule_.wrong_with(object).has_value();
           });
  }

  void note_lost_record() {
    const auto lost = next_after(newest_generation().seq);
    problem("Generation " + std::to_string(lost.value) +
            " is here, but its commit record can't be read.");
    examination().damaged = lost;
  }

  const Generation& newest_generation() const { return found_.examination.newest->head.generation; }
  static Sequence next_after(Sequence seq) { return Sequence(seq.value + 1); }

  const CapsuleDirectory::State& capsule_;
  int dir_;
  int medium_error_ = 0;
  Found found_;
};

}  // namespace

std::string head_path(Sequence seq) { return "heads/" + std::to_string(seq.value) + ".json"; }

Found& CapsuleDirectory::State::look() {
  found = Look(*this, dir.get()).run();
  return *found;
}

int CapsuleDirectory::State::medium_error_of(const Object& object) const {
  const auto fd = open_beneath(dir.get(), object.path, O_PATH);
  struct stat about {};
  if (fd && ::fstat(fd->get(), &about) == 0) return 0;
  const int error = fd ? errno : fd.error();
  return is_medium_error(error) ? error : 0;
}

std::optional<std::string> CapsuleDirectory::State::wrong_with(const Object& object) const {
  const auto fd = open_beneath(dir.get(), object.path, O_PATH);
  struct stat about {};
  if (!fd || ::fstat(fd->get(), &about) != 0) {
    const int error = fd ? errno : fd.error();
    if (!is_foreign_error(error)) throw fault_from_errno(error, "examine", shown(object.path));
    return why_of(error);
  }
  if (!S_ISREG(about.st_mode)) return "it is no regular file";
  const auto size = static_cast<std::uint64_t>(about.st_size);
  const bool good =
      is_merged_in_place(object.path) ? size >= object.size.value : size == object.size.value;
  if (good) return std::nullopt;
  return "it has " + std::to_string(size) + " bytes instead of " +
         std::to_string(object.size.value);
}

std::optional<std::string> Examination::first_problem() const {
  if (problems.empty()) return std::nullopt;
  const auto& first = problems.front();
  return first.substr(0, first.size() - (first.ends_with('.') ? 1 : 0));
}

Examination CapsuleDirectory::examine() { return state_->look().examination; }

}  // namespace satchel::format
