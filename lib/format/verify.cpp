// Slots and heads as verify() looks at them, and the rounds it takes while others commit.
#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "format/capsule_state.hpp"
#include "format/text.hpp"
#include "format/verify_files.hpp"

namespace satchel::format {

namespace {

using SlotContents = std::array<OrErrno<std::string>, 2>;

/// What a commit or a sweep changes.
struct Entries {
  SlotContents slots;
  OrErrno<std::vector<Sequence>> heads;  ///< that are there, the highest first
  bool operator==(const Entries&) const = default;
};

/// One look at slots and heads.
class Round {
 public:
  Round(const CapsuleDirectory::State& capsule, const Entries& entries)
      : capsule_(capsule), heads_(entries.heads.value_or(std::vector<Sequence>())) {
    if (!entries.heads) flaw("heads", {}, clause_of(capsule, entries.heads.error(), "heads"));
    const auto& slots = entries.slots;
    for (std::size_t i = 0; i < slots.size(); ++i) read_slot_at(i, slots[i]);
    for (const auto i : lost_) attribute(i);
    std::ranges::sort(kept_, std::greater<>(), &KeptHead::seq);
    if (blank_ && kept_.size() == 1 && kept_[0].seq.value > 1)
      flaw(slot_paths[*blank_], {}, "is empty, and was written before");
    if (kept_.size() == 2) compare(kept_[0], kept_[1]);
    add_older();
    if (kept_.empty() && flaws_.empty())
      throw Fault(Remedy::other_device,
                  {"verify", capsule_.shown(), "no generation was ever committed to it",
                   "Remove it, and pack or import the machine again."});
  }

  const std::vector<KeptHead>& kept() const { return kept_; }
  const std::vector<Flaw>& flaws() const { return flaws_; }

 private:
  void flaw(const std::string& path, std::vector<Sequence> generations, std::string what) {
    flaws_.push_back({path, std::move(generations), std::move(what), Flaw::Kind::damaged});
  }
  /// Flaws of lost slots wait for the generation that they named.
  void lose(std::size_t i, std::string what) {
    lost_.push_back(i);
    flaw(slot_paths[i], {}, std::move(what));
  }

  void compare(const KeptHead& newer, const KeptHead& older) {
    if (newer.seq == older.seq)
      flaw("slots", {newer.seq, older.seq}, "has two histories of that number");
    else if (newer.head && older.head && newer.head->generation.parent != older.head->generation.id)
      flaw("slots", {newer.seq},
           "has no generation before that one: they do not continue each other");
  }

  Fault later_version(std::uint32_t version) const {
    return Fault(Remedy::later_version, {"verify", capsule_.shown(),
                                         "it was written by a later version of Satchel (format " +
                                             std::to_string(version) + ")",
                                         "Verify it with that version."});
  }

  void read_slot_at(std::size_t i, const OrErrno<std::string>& bytes) {
    if (!bytes) return lose(i, clause_of(capsule_, bytes.error(), slot_paths[i]));
    const auto reading = read_slot(std::as_bytes(std::span(*bytes)));
    switch (reading.state) {
      case SlotState::empty:
        blank_ = i;
        return;
      case SlotState::torn:
        return lose(i, "is torn: it is no commit record");
      case SlotState::unknown_version:
        throw later_version(reading.version);
      case SlotState::valid:
        return read_generation(*reading.record);
    }
  }

  void read_generation(const SlotRecord& record) {
    const auto path = head_path(record.seq);
    KeptHead kept{record.seq, {}};
    const auto bytes = read_past_cache(capsule_.dir.get(), path, largest_head);
    if (!bytes) {
      flaw(path, {record.seq}, clause_of(capsule_, bytes.error(), path));
    } else if (digest_of(bytes->bytes) != record.head) {
      flaw(path, {record.seq}, "is not the head that was committed");
    } else if (auto head = read_head(bytes->bytes); !head) {
      // Its digest is right, so this is how it was written.
      const auto version = version_of(bytes->bytes);
      if (version && head.error().front().where == "version") throw later_version(*version);
      flaw(path, {record.seq}, "is no good head: " + to_string(head.error()));
    } else if (head->head.capsule != capsule_.id || head->head.generation.seq != record.seq ||
               head->head.generation.id != record.id ||
               head->head.generation.parent != record.parent) {
      flaw(path, {record.seq}, "belongs to another capsule or generation");
    } else {
      kept.head = std::move(head->head);
    }
    kept_.push_back(std::move(kept));
  }

  /// Generations of the newest one's history whose heads were kept.
  void add_older() {
    if (kept_.empty() || !kept_[0].head) return;
    const auto history = kept_[0].head->history;
    for (const auto& [generation, what] : history) {
      const bool known = std::ranges::find(kept_, generation.seq, &KeptHead::seq) != kept_.end();
      if (!known && std::ranges::find(heads_, generation.seq) != heads_.end()) add(generation);
    }
    std::ranges::sort(kept_, std::greater<>(), &KeptHead::seq);
  }

  void add(const Generation& generation) {
    const auto path = head_path(generation.seq);
    KeptHead kept{generation.seq, {}};
    const auto bytes = read_past_cache(capsule_.dir.get(), path, largest_head);
    if (!bytes) {
      flaw(path, {generation.seq}, clause_of(capsule_, bytes.error(), path));
    } else if (auto head = read_head(bytes->bytes); !head) {
      flaw(path, {generation.seq}, "is no good head: " + to_string(head.error()));
    } else if (head->head.capsule != capsule_.id || head->head.generation != generation) {
      flaw(path, {generation.seq}, "belongs to another capsule or generation");
    } else {
      kept.head = std::move(head->head);
    }
    kept_.push_back(std::move(kept));
  }

  /// The generation that a lost slot named, when its head is there: slots are written in turn, the
  /// first generation to the first slot, and neighbours continue each other.
  void attribute(std::size_t i) {
    const auto continues = [](const Head& a, const Head& b) {
      return a.generation.parent == b.generation.id || b.generation.parent == a.generation.id;
    };
    for (const auto number : heads_) {
      if ((number.value + 1) % 2 != i) continue;
      const auto bytes = read_past_cache(capsule_.dir.get(), head_path(number), largest_head);
      if (!bytes) continue;
      auto head = read_head(bytes->bytes);
      if (!head || head->head.capsule != capsule_.id || head->head.generation.seq != number)
        continue;
      if (!kept_.empty() && kept_[0].head && !continues(head->head, *kept_[0].head)) continue;
      const auto slot = std::ranges::find(flaws_, slot_paths[i], &Flaw::path);
      slot->generations.push_back(number);
      kept_.push_back({number, std::move(head->head)});
      return;
    }
  }

  const CapsuleDirectory::State& capsule_;
  std::vector<Sequence> heads_;
  std::vector<KeptHead> kept_;
  std::vector<Flaw> flaws_;
  std::vector<std::size_t> lost_;
  std::optional<std::size_t> blank_;
};

Entries entries_of(const CapsuleDirectory::State& capsule) {
  const auto read = [&](const char* path) -> OrErrno<std::string> {
    auto bytes = read_past_cache(capsule.dir.get(), path, sizeof(SlotBytes));
    if (!bytes) return tl::unexpected(bytes.error() == EFBIG ? EINVAL : bytes.error());
    return std::move(bytes->bytes);
  };
  return {{read(slot_paths[0]), read(slot_paths[1])}, list_heads(capsule)};
}

/// A directory that can't be listed is a flaw.
std::vector<std::string> not_needed(const CapsuleDirectory::State& capsule,
                                    const std::vector<KeptHead>& kept, std::vector<Flaw>& flaws) {
  std::set<std::string> needed{"log", slot_paths[0], slot_paths[1]};
  for (const auto& each : kept) {
    needed.insert(head_path(each.seq));
    if (each.head)
      for (const auto& object : each.head->objects) needed.insert(folded(object.path));
  }
  std::vector<std::string> out;
  const auto names_of = [&](int directory, const std::string& path) {
    auto names = list_names(directory);
    // That of heads was told already.
    if (!names && path != "heads")
      flaws.push_back({path, {}, clause_of(capsule, names.error(), path), Flaw::Kind::damaged});
    return names.value_or(std::vector<std::string>());
  };
  const auto look = [&](int directory, const std::vector<std::string>& names,
                        const std::string& prefix) {
    for (const auto& name : names) {
      const auto path = prefix + name;
      if (needed.contains(folded(path))) continue;
      if (prefix.empty() && open_directory(directory, name)) continue;
      out.push_back(path);
    }
  };
  const auto top = names_of(capsule.dir.get(), ".");
  look(capsule.dir.get(), top, "");
  for (const auto& name : top)
    if (const auto directory = open_directory(capsule.dir.get(), name))
      look(directory->get(), names_of(directory->get(), name), name + "/");
  std::ranges::sort(out);
  return out;
}

std::string numbers_of(const std::vector<Sequence>& generations) {
  std::string out = generations.size() > 1 ? "generations " : "generation ";
  for (std::size_t i = 0; i < generations.size(); ++i) {
    if (i > 0) out += i + 1 == generations.size() ? " and " : ", ";
    out += std::to_string(generations[i].value);
  }
  return out + (generations.size() > 1 ? " need" : " needs");
}

}  // namespace

std::string Flaw::sentence() const {
  if (generations.empty()) return path + ", of a generation that can't be told, " + what;
  return path + ", which " + numbers_of(generations) + ", " + what;
}

std::optional<Sequence> Verification::newest_whole() const {
  for (const auto& each : kept)
    if (each.verdict == Kept::Verdict::whole) return each.seq;
  return std::nullopt;
}

Verification CapsuleDirectory::verify(const ProgressSink& progress, std::stop_token stop) const {
  VerifyFiles files(*state_, progress, std::move(stop));
  Verification out;
  // What is newest may change while this reads: then what came is read too, and judged anew.
  auto entries = entries_of(*state_);
  for (;;) {
    const Round round(*state_, entries);
    files.read(round.kept());
    out.flaws = round.flaws();
    for (auto& flaw : files.flaws(round.kept())) out.flaws.push_back(std::move(flaw));
    out.not_needed = not_needed(*state_, round.kept(), out.flaws);
    out.kept.clear();
    for (const auto& each : round.kept()) {
      const bool flawed = std::ranges::any_of(out.flaws, [&](const Flaw& flaw) {
        return std::ranges::find(flaw.generations, each.seq) != flaw.generations.end();
      });
      out.kept.push_back({each.seq, flawed ? Verification::Kept::Verdict::flawed
                                           : Verification::Kept::Verdict::whole});
    }
    out.files = files.files() + round.kept().size() + entries.slots.size();
    if (auto now = entries_of(*state_); now != entries)
      entries = std::move(now);
    else
      break;
  }
  out.read = files.bytes();
  return out;
}

}  // namespace satchel::format
