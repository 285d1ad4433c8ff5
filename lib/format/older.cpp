// Generations before the newest: which of them are still whole here, and how they are given up.
#include <algorithm>
#include <charconv>
#include <functional>

#include "format/capsule_state.hpp"
#include "format/text.hpp"

namespace satchel::format {

namespace {

/// Sorts the generation that the newest one's history tells of. That history is signed, and so is
/// its head, by the host that it names.
void look_at(const CapsuleDirectory::State& capsule, const Generation& generation,
             CapsuleDirectory::Older& out) {
  const auto path = head_path(generation.seq);
  const auto bytes = read_whole(capsule.dir.get(), path, largest_head);
  if (!bytes && !is_foreign_error(bytes.error()))
    throw fault_from_errno(bytes.error(), "read", capsule.shown(path));
  if (!bytes) {
    (is_medium_error(bytes.error()) ? out.unread : out.damaged).push_back(generation.seq);
    return;
  }
  auto head = read_head(*bytes);
  if (!head || head->head.capsule != capsule.id || head->head.generation != generation) {
    out.damaged.push_back(generation.seq);
    return;
  }
  const auto& objects = head->head.objects;
  const auto is_wrong = [&](const Object& object) {
    return capsule.wrong_with(object).has_value();
  };
  const auto is_unread = [&](const Object& object) { return capsule.medium_error_of(object) != 0; };
  if (std::ranges::none_of(objects, is_wrong))
    out.heads.push_back(std::move(head->head));
  else
    (std::ranges::any_of(objects, is_unread) ? out.unread : out.damaged).push_back(generation.seq);
}

}  // namespace

OrErrno<std::vector<Sequence>> list_heads(const CapsuleDirectory::State& capsule) {
  std::vector<Sequence> out;
  const auto heads = open_directory(capsule.dir.get(), "heads");
  const bool is_known =
      heads || (is_foreign_error(heads.error()) && !is_medium_error(heads.error()));
  if (!is_known) return tl::unexpected(heads.error());
  if (!heads) return out;
  const auto names = list_names(heads->get());
  if (!names) return tl::unexpected(names.error());
  for (const auto& name : *names) {
    std::uint64_t seq = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), seq);
    if (error == std::errc() && head_path(Sequence(seq)) == "heads/" + name) out.emplace_back(seq);
  }
  std::ranges::sort(out, std::greater<>());
  return out;
}

std::vector<Sequence> heads_in(const CapsuleDirectory::State& capsule) {
  return or_fault(list_heads(capsule), "list", capsule.shown("heads"));
}

bool CapsuleDirectory::State::in_a_slot(Sequence seq) const {
  return std::ranges::any_of(
      found->slots, [&](const SlotFound& slot) { return slot.record && slot.record->seq == seq; });
}

CapsuleDirectory::Older CapsuleDirectory::State::older() const {
  Older out;
  const auto& newest = found->examination.newest;
  if (!newest) return out;
  const auto there = heads_in(*this);
  const auto& history = newest->head.history;
  for (auto past = history.rbegin(); past != history.rend(); ++past) {
    const auto& generation = past->generation;
    if (generation.seq >= newest->head.generation.seq ||
        std::ranges::find(there, generation.seq) == there.end())
      continue;
    look_at(*this, generation, out);
  }
  return out;
}

void CapsuleDirectory::State::remove_heads(const std::vector<Sequence>& generations) {
  if (generations.empty()) return;
  const UniqueFd heads = or_fault(open_directory(dir.get(), "heads"), "open", shown("heads"));
  for (const auto seq : generations) {
    const auto path = head_path(seq);
    remove_file(heads.get(), path.substr(path.find('/') + 1), shown(path));
  }
  sync_directory(heads.get(), shown("heads"));
}

std::vector<Head> CapsuleDirectory::older() { return look_at_older().heads; }

CapsuleDirectory::Older CapsuleDirectory::look_at_older() {
  state_->look();
  return state_->older();
}

void CapsuleDirectory::give_up(const std::vector<Sequence>& generations) {
  state_->look();
  state_->require_writable("tidy");
  std::vector<Sequence> gone;
  for (const auto seq : heads_in(*state_))
    if (std::ranges::find(generations, seq) != generations.end() && !state_->in_a_slot(seq))
      gone.push_back(seq);
  state_->work->guard([&] { state_->remove_heads(gone); });
}

}  // namespace satchel::format
