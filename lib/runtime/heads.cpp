#include "runtime/heads.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "base/fault.hpp"
#include "base/host_file.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace {

constexpr std::size_t history_kept = 32;

/// Where each host's session began that has no end in history, by index.
std::map<HostId, std::size_t> open_sessions(const std::vector<format::Past>& history) {
  std::map<HostId, std::size_t> open;
  for (std::size_t i = 0; i < history.size(); ++i) {
    const auto& [generation, done] = history[i];
    if (done == what::check_out || done.ends_with(what::checked_out))
      open[generation.host] = i;
    else if (done == what::eject || done == what::launch_undone)
      open.erase(generation.host);
  }
  return open;
}

/// Behind which a file that is changed in place may be unlike its digest, by index: the last line
/// that says so, while no merge or fold has come to its end since (format::under_way()).
std::set<std::size_t> open_changes(const std::vector<format::Past>& history) {
  std::map<std::string, std::size_t> open;
  for (std::size_t i = 0; i < history.size(); ++i) {
    const auto& done = history[i].what;
    if (done == what::merge_begun || done.starts_with(what::back_to)) open[what::merge] = i;
    if (done == what::fold_begun) open[what::fold] = i;
    open.erase(done);
  }
  std::set<std::size_t> lines;
  for (const auto& [change, line] : open) lines.insert(line);
  return lines;
}

/// Where another host had first changed the files below a session that began at this line. Its end
/// and not its beginning: without the one, the other says that nobody knows how far it came.
std::optional<std::size_t> changed_below(const std::vector<format::Past>& history,
                                         const HostId& host, std::size_t began) {
  for (auto i = began + 1; i < history.size(); ++i) {
    const auto& [generation, done] = history[i];
    const bool changed = done == what::merge || done == what::fold;
    if (changed && generation.host != host) return i;
  }
  return std::nullopt;
}

/// The oldest line that nothing is read from: not the first generation's, not where a session began
/// that may still be somewhere, nor who has changed what lies below it, nor what tells that a file
/// may be unlike its digest.
std::size_t dispensable(const std::vector<format::Past>& history) {
  auto kept = open_changes(history);
  if (history.front().generation.seq == Sequence(1)) kept.insert(0);
  for (const auto& [host, line] : open_sessions(history)) {
    kept.insert(line);
    if (const auto changed = changed_below(history, host, line)) kept.insert(*changed);
  }
  for (std::size_t i = 0; i < history.size(); ++i)
    if (!kept.contains(i)) return i;
  return history.front().generation.seq == Sequence(1) ? 1 : 0;
}

format::Generation generation_after(Sequence seq, std::optional<GenerationId> parent,
                                    const Author& by) {
  return format::Generation{seq,    GenerationId(Uuid::random()), parent, by.host, by.host_name,
                            by.time};
}

}  // namespace

Author author(const Parts& parts) {
  return Author{parts.key.public_key().host_id(), parts.host_name, parts.now()};
}

format::Head next_head(const format::Head& before, const Author& by, std::string what) {
  format::Head next = before;
  next.generation =
      generation_after(Sequence(before.generation.seq.value + 1), before.generation.id, by);
  next.checked_out.reset();
  next.history.push_back(format::Past{next.generation, std::move(what)});
  while (next.history.size() > history_kept)
    next.history.erase(next.history.begin() +
                       static_cast<std::ptrdiff_t>(dispensable(next.history)));
  return next;
}

format::Head first_head(CapsuleId capsule, std::string name, const Author& by, std::string what) {
  format::Head head;
  head.capsule = capsule;
  head.name = std::move(name);
  head.generation = generation_after(Sequence(1), std::nullopt, by);
  head.history.push_back(format::Past{head.generation, std::move(what)});
  return head;
}

std::string still_needed_by(const format::Head& head, const HostId& here) {
  for (const auto& [host, line] : open_sessions(head.history))
    if (host != here && !(head.checked_out && head.checked_out->host == host))
      return head.history[line].generation.host_name;
  return {};
}

core::Found found_from(const format::Head& head, const HostId& here,
                       const std::optional<SeenGeneration>& seen,
                       const std::optional<Session>& ours) {
  core::Found found;
  found.id = head.generation.id;
  found.sequence = head.generation.seq;
  found.last_host = head.generation.host;
  found.last_host_name = head.generation.host_name;
  found.time = head.generation.time;
  found.has_memory = head.hibernation.has_value();
  found.needed_by = still_needed_by(head, here);
  if (seen) found.lacks = lacking(*seen, head);
  found.holds_our_eject =
      ours && ours->committing && std::ranges::any_of(head.history, [&](const format::Past& each) {
        return each.generation.id == *ours->committing;
      });
  found.lacks_our_files = ours && lacks_files_of(head, *ours);
  if (head.checked_out) {
    core::CheckedOut out;
    out.host = head.checked_out->host;
    out.host_name = head.checked_out->host_name;
    out.session = head.checked_out->session;
    out.time = head.checked_out->since;
    out.holder = out.host == here ? core::Holder::this_host : core::Holder::another_host;
    found.checked_out = std::move(out);
  }
  return found;
}

void add_object(format::Head& head, format::Object object) {
  std::erase_if(head.objects, [&](const auto& each) { return each.path == object.path; });
  const auto place = std::lower_bound(
      head.objects.begin(), head.objects.end(), object.path,
      [](const format::Object& each, const std::string& path) { return each.path < path; });
  head.objects.insert(place, std::move(object));
}

void drop_unnamed_objects(format::Head& head) {
  std::set<std::string> named;
  for (const auto& disk : head.disks) named.insert(disk.chain.begin(), disk.chain.end());
  if (head.hibernation) {
    named.insert(head.hibernation->pages);
    named.insert(head.hibernation->map);
    if (head.hibernation->segments)
      named.insert(head.hibernation->segments->begin(), head.hibernation->segments->end());
  }
  if (head.nvram) named.insert(*head.nvram);
  std::erase_if(head.objects, [&](const auto& object) { return !named.contains(object.path); });
}

void set_hibernation(format::Head& head, SavedMemory memory) {
  format::Hibernation saved;
  saved.codec = std::move(memory.codec);
  saved.pages = memory.pages.path;
  saved.map = memory.map.path;
  saved.stream_size = memory.stream_size;
  saved.accelerator = memory.accelerator == Accelerator::kvm ? "kvm" : "tcg";
  saved.emulator = std::move(memory.emulator);
  saved.was_paused = memory.before == GuestState::paused;
  saved.segments = std::move(memory.segments);
  head.hibernation = std::move(saved);
  add_object(head, std::move(memory.pages));
  add_object(head, std::move(memory.map));
}

ByteCount new_bytes(const format::Head& head, const format::Head& before) {
  ByteCount sum;
  for (const auto& object : head.objects)
    if (before.find(object.path) == nullptr) sum = sum + object.size;
  return sum;
}

format::Object store_bytes(format::CapsuleDirectory& capsule, std::string_view bytes,
                           std::string object) {
  auto writer = capsule.create_object(std::move(object));
  writer.write(std::as_bytes(std::span(bytes.data(), bytes.size())));
  return writer.finish();
}

format::Object store_file(format::CapsuleDirectory& capsule, const std::filesystem::path& file,
                          std::string object) {
  return store_bytes(capsule, read_host_file(file, LastLink::follow), std::move(object));
}

}  // namespace satchel
