#include "runtime/older.hpp"

#include <algorithm>

#include "runtime/heads.hpp"

namespace satchel {

namespace {

using History = std::vector<format::Past>;

/// A state on the way from one end of a session to the next.
bool is_passing(const History& history, const Content& content) {
  if (history[content.first].what != what::checkpoint) return false;
  for (auto i = content.first; i <= content.last; ++i)
    if (history[i].what == what::check_out) return false;
  return true;
}

bool has(const History& history, const Content& content, Sequence seq) {
  return history[content.first].generation.seq <= seq &&
         seq <= history[content.last].generation.seq;
}

std::vector<Content> older_contents(const History& history) {
  auto out = contents(history);
  if (!out.empty()) out.erase(out.begin());
  return out;
}

/// Sweeps with ever fewer generations until as much is free.
ByteCount sweep_until(format::CapsuleDirectory& capsule, std::vector<Sequence> keep,
                      ByteCount wanted) {
  for (;;) {
    capsule.sweep(keep);
    const auto free = capsule.room().free;
    if (free >= wanted || keep.empty()) return free;
    keep.pop_back();
  }
}

}  // namespace

bool keeps_content(const std::string& what) {
  return what == what::check_out || what == what::launch_undone || what == what::merge_begun ||
         what == what::merge || what == what::fold_begun || what == what::fold ||
         what == what::compact;
}

std::vector<Content> contents(const History& history) {
  std::vector<Content> out;
  for (std::size_t i = 0; i < history.size(); ++i) {
    const bool follows =
        i > 0 && history[i - 1].generation.seq.value + 1 == history[i].generation.seq.value;
    if (follows && keeps_content(history[i].what))
      out.back().last = i;
    else
      out.push_back({i, i});
  }
  std::ranges::reverse(out);
  return out;
}

std::vector<Sequence> worth_keeping(const format::Head& newest, unsigned most) {
  std::vector<Sequence> out;
  for (const auto& content : older_contents(newest.history))
    if (out.size() < most && !is_passing(newest.history, content))
      out.push_back(newest.history[content.last].generation.seq);
  return out;
}

std::vector<format::Head> kept_among(const std::vector<format::Head>& older,
                                     const format::Head& newest, unsigned most) {
  const auto worth = worth_keeping(newest, most);
  std::vector<format::Head> out;
  std::ranges::copy_if(older, std::back_inserter(out), [&](const format::Head& head) {
    return std::ranges::find(worth, head.generation.seq) != worth.end();
  });
  return out;
}

std::vector<Sequence> restorable(const format::Head& newest,
                                 const std::vector<format::Head>& older) {
  std::vector<Sequence> out;
  const auto& history = newest.history;
  const auto all = older_contents(history);
  for (auto content = all.rbegin(); content != all.rend(); ++content) {
    const bool here = std::ranges::any_of(older, [&](const format::Head& head) {
      return has(history, *content, head.generation.seq);
    });
    for (auto i = content->first; here && i <= content->last; ++i)
      out.push_back(history[i].generation.seq);
  }
  return out;
}

const format::Head* with_content_of(Sequence to, const format::Head& newest,
                                    const std::vector<format::Head>& older) {
  for (const auto& content : older_contents(newest.history)) {
    if (!has(newest.history, content, to)) continue;
    for (const auto& head : older)
      if (has(newest.history, content, head.generation.seq)) return &head;
  }
  return nullptr;
}

bool is_hidden(const format::Head& other, const format::Disk& disk, std::size_t base,
               std::size_t top) {
  const auto same = std::ranges::find(other.disks, disk.target, &format::Disk::target);
  if (same == other.disks.end()) return true;
  const auto& chain = same->chain;
  if (std::ranges::find(chain, disk.chain[base]) == chain.end()) return true;
  const auto files = static_cast<std::ptrdiff_t>(top) + 1;
  return chain.size() > top &&
         std::equal(disk.chain.begin(), disk.chain.begin() + files, chain.begin());
}

std::size_t top_hidden(const std::vector<format::Head>& kept, const format::Disk& disk) {
  auto top = disk.chain.size() - 1;
  while (top > 1 && !std::ranges::all_of(kept, [&](const format::Head& head) {
           return is_hidden(head, disk, 1, top);
         }))
    --top;
  return top;
}

void sweep(const Config& config, format::CapsuleDirectory& capsule, const format::Head& newest) {
  const auto room = capsule.room();
  sweep_until(capsule, worth_keeping(newest, config.generations.keep),
              ByteCount(room.size.value / 100 * config.generations.free_percent));
}

ByteCount make_room(const Config& config, format::CapsuleDirectory& capsule,
                    const format::Head& newest, ByteCount needed) {
  const auto room = capsule.room();
  if (room.free >= needed) return room.free;
  return sweep_until(capsule, worth_keeping(newest, config.generations.keep), needed);
}

}  // namespace satchel
