#include "format/verify_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include "format/medium_reader.hpp"
#include "format/text.hpp"

namespace satchel::format {

namespace {

/// For each path the sizes that heads give it.
std::map<std::string, std::vector<std::uint64_t>> named(const std::vector<KeptHead>& kept) {
  std::map<std::string, std::set<std::uint64_t>> sizes;
  for (const auto& each : kept)
    if (each.head)
      for (const auto& object : each.head->objects) sizes[object.path].insert(object.size.value);
  std::map<std::string, std::vector<std::uint64_t>> out;
  for (const auto& [path, all] : sizes) out[path].assign(all.begin(), all.end());
  return out;
}

/// What changes the file in place, as this head has its chains: "merge", "fold"; empty: nothing.
std::string changed_by(const Head& head, std::string_view path) {
  for (const auto& disk : head.disks) {
    if (disk.chain.size() > 2 && disk.chain[1] == path) return "merge";
    if (disk.chain.size() > 1 && disk.chain[0] == path) return "fold";
  }
  return {};
}

bool goes_back(const Past& line) { return line.what.starts_with("back to "); }

/// As the newest head that names the file knows. It may have been changed in generations that are
/// not kept any more and that were gone back from.
std::string under_way(const std::vector<KeptHead>& kept, const std::string& path) {
  const auto newest = std::ranges::find_if(
      kept, [&](const KeptHead& each) { return each.head && each.head->find(path); });
  if (newest == kept.end() || !is_merged_in_place(path)) return {};
  const auto first =
      std::ranges::find_if(kept, [](const KeptHead& each) { return each.head.has_value(); });
  const bool left = std::ranges::any_of(first->head->history, [&](const Past& line) {
    return goes_back(line) && line.generation.seq > newest->seq;
  });
  if (left && changed_by(*newest->head, path) == "merge") return "merge";
  return under_way(*newest->head, path);
}

std::string shortened(const Digest& digest) { return digest.hex().substr(0, 16) + "…"; }

/// One flaw a file where it is the same one. Of a file that is changed in place the newest head has
/// the word: what an older one states may be long over.
void add(std::vector<Flaw>& all, Flaw flaw) {
  const auto same = std::ranges::find_if(all, [&](const Flaw& each) {
    return each.path == flaw.path && (each.what == flaw.what || is_merged_in_place(flaw.path));
  });
  if (same == all.end())
    all.push_back(std::move(flaw));
  else
    same->generations.push_back(flaw.generations.front());
}

}  // namespace

std::string under_way(const Head& head, std::string_view path) {
  if (!is_merged_in_place(path)) return {};
  const auto what = changed_by(head, path);
  bool begun = false;
  for (const auto& line : head.history) {
    // Of a generation that was gone back to, a COW file may have been merged into since.
    if (line.what == what + " begun" || (what == "merge" && goes_back(line))) begun = true;
    if (line.what == what) begun = false;
  }
  return begun ? what : std::string();
}

std::string clause_of(const CapsuleDirectory::State& capsule, int error, const std::string& path,
                      std::optional<std::uint64_t> at) {
  if (!is_foreign_error(error)) throw fault_from_errno(error, "read", capsule.shown(path));
  const auto why = why_of(error);
  if (is_medium_error(error)) {
    // Tells a bad place from a device that was pulled.
    const bool reads = std::ranges::any_of(slot_paths, [&](const char* slot) {
      return read_past_cache(capsule.dir.get(), slot, sizeof(SlotBytes)).has_value();
    });
    if (!reads) throw fault_from_errno(error, "read", capsule.shown());
    return "can't be read" + (at ? " behind byte " + std::to_string(*at) : "") + ": " + why;
  }
  return why.starts_with("it ") ? why.substr(3) : "can't be used: " + why;
}

VerifyFiles::VerifyFiles(const CapsuleDirectory::State& capsule, ProgressSink progress,
                         std::stop_token stop)
    : capsule_(capsule), progress_(std::move(progress)), stop_(std::move(stop)) {}

void VerifyFiles::measure(const std::string& path, const std::vector<std::uint64_t>& sizes) {
  auto& seen = seen_[path];
  const auto fd = open_file(capsule_.dir.get(), path, O_RDONLY);
  struct stat about {};
  if (!fd || ::fstat(fd->get(), &about) != 0) {
    seen.wrong = clause_of(capsule_, fd ? errno : fd.error(), path);
    return;
  }
  seen.size = static_cast<std::uint64_t>(about.st_size);
  for (const auto size : sizes)
    if (size <= seen.size) seen.digests[size];
  // A file of the wrong length is damaged whatever is in it.
  if (!is_merged_in_place(path) && !seen.digests.contains(seen.size)) seen.digests.clear();
  if (!seen.digests.empty()) total_ += seen.digests.rbegin()->first;
}

void VerifyFiles::read_one(const std::string& path, const std::vector<std::uint64_t>& sizes) {
  auto& seen = seen_.at(path);
  if (seen.wrong || seen.digests.empty()) return;
  const auto end = seen.digests.rbegin()->first;
  const auto begun = done_;
  const auto give_up = [&](std::string why) {
    seen.wrong = std::move(why);
    total_ -= std::min(total_, end - (done_ - begun));
  };
  const auto opened = MediumReader::open(capsule_.dir.get(), path);
  if (!opened) return give_up(clause_of(capsule_, opened.error(), path));
  auto& file = **opened;
  std::vector<std::pair<std::uint64_t, Hasher>> hashers;
  for (const auto size : sizes)
    if (size <= end) hashers.emplace_back(size, Hasher());
  std::uint64_t at = 0;
  while (at < end) {
    if (stop_.stop_requested())
      throw Fault(Remedy::retry, {"verify", capsule_.shown(), "it was stopped", {}});
    const auto bytes = file.next();
    if (!bytes) return give_up(clause_of(capsule_, bytes.error(), path, file.offset()));
    if (bytes->empty()) return give_up("ends at byte " + std::to_string(at));
    for (auto& [size, hasher] : hashers)
      if (at < size)
        hasher.add(bytes->first(
            static_cast<std::size_t>(std::min<std::uint64_t>(bytes->size(), size - at))));
    const auto read = std::min<std::uint64_t>(bytes->size(), end - at);
    at += read;
    done_ += read;
    if (progress_) progress_(Progress{"reading " + path, ByteCount(done_), ByteCount(total_)});
  }
  for (auto& [size, hasher] : hashers) seen.digests[size] = hasher.finish();
}

void VerifyFiles::read(const std::vector<KeptHead>& kept) {
  auto wanted = named(kept);
  std::erase_if(wanted, [&](const auto& each) { return seen_.contains(each.first); });
  for (const auto& [path, sizes] : wanted) measure(path, sizes);
  for (const auto& [path, sizes] : wanted) read_one(path, sizes);
}

std::optional<Flaw> VerifyFiles::flaw_of(const Object& object, const std::string& changing) const {
  const auto& seen = seen_.at(object.path);
  Flaw flaw{object.path, {}, {}, Flaw::Kind::damaged};
  const auto digest = seen.digests.find(object.size.value);
  if (seen.wrong) {
    flaw.what = *seen.wrong;
  } else if (digest == seen.digests.end()) {
    flaw.what = "has " + std::to_string(seen.size) + " bytes instead of " +
                std::to_string(object.size.value);
  } else if (digest->second == object.digest) {
    return std::nullopt;
  } else if (!changing.empty()) {
    flaw.kind = Flaw::Kind::unsettled;
    flaw.what = "was being changed by a " + changing +
                " that did not come to its end: whether the rest of it is as it was written "
                "can't be told";
  } else {
    flaw.what = "is not what was written: its digest is " + shortened(digest->second) + ", and " +
                shortened(object.digest) + " was written";
  }
  return flaw;
}

std::vector<Flaw> VerifyFiles::flaws(const std::vector<KeptHead>& kept) const {
  std::vector<Flaw> out;
  for (const auto& [path, sizes] : named(kept)) {
    const auto changing = under_way(kept, path);
    for (const auto& generation : kept) {
      const Object* object = generation.head ? generation.head->find(path) : nullptr;
      if (object == nullptr) continue;
      if (auto flaw = flaw_of(*object, changing)) {
        flaw->generations.push_back(generation.seq);
        add(out, std::move(*flaw));
      } else if (is_merged_in_place(path)) {
        // As a newer head states it: what a merge or fold changed since is hidden from the older.
        break;
      }
    }
  }
  return out;
}

}  // namespace satchel::format
