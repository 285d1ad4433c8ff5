#include "sync/trash.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/fault.hpp"
#include "sync/names.hpp"

namespace satchel::sync {
namespace {

constexpr std::size_t moment_length = 16;
constexpr unsigned most_numbers = 1000;

Obstacle changed() { return {Obstacle::Kind::changed, "it was just changed"}; }

/// When a folder of the trash was made: "2026-11-22 10.15", or that and " (2)".
std::optional<UnixNanos> moment_of(std::string_view name) {
  const std::string_view rest = name.substr(std::min(name.size(), moment_length));
  if (!rest.empty() && (!rest.starts_with(" (") || !rest.ends_with(")"))) return std::nullopt;
  return parse_moment(name.substr(0, moment_length));
}

}  // namespace

// The folder for what stood in `above`. A file that was taken away under the same name in the same
// minute leads to a second one.
Trash::Folder Trash::folder_for(std::string_view above) {
  for (unsigned number = 1;; ++number) {
    const std::string name = number == 1 ? moment_ : moment_ + " (" + std::to_string(number) + ")";
    const std::string folder = joined(trash_name, name);
    std::string path = above.empty() ? folder : joined(folder, above);
    const auto made = tree_.make_directories(path);
    if (made) return {std::move(path), *made};
    if (made.error() != ENOTDIR || number == most_numbers || !tree_.directory(folder))
      throw fault_from_errno(made.error(), "make the folder for what is deleted,",
                             tree_.shown_path(folder));
  }
}

std::optional<Obstacle> Trash::take(const HostEntry& entry) {
  const Folder folder = folder_for(parent_of(entry.path));
  const UniqueFd to(::fcntl(folder.fd, F_DUPFD_CLOEXEC, 0));
  if (!to) throw fault_from_errno(errno, "open", tree_.shown_path(folder.path));
  const auto from = tree_.directory(parent_of(entry.path));
  if (!from) return obstacle_from(from.error(), "open the folder of", entry.path);
  const std::string name(name_of(entry.path));
  const auto now = look(*from, name);
  if (!now || now->stamp != entry.stamp || now->kind != entry.version.kind) return changed();
  std::string target = name;
  int error = rename_without_replacing(*from, name, to.get(), target);
  for (unsigned number = 2; error == EEXIST && number < most_numbers; ++number) {
    target = numbered_name(name, number);
    error = rename_without_replacing(*from, name, to.get(), target);
  }
  if (error == ENOENT) return changed();
  if (error != 0) return obstacle_from(error, "move to the trash", entry.path);
  const auto taken = look(to.get(), target);
  if (taken && is_same_thing(*taken, entry)) return std::nullopt;
  // It was changed, or exchanged, in that very moment: that is kept where it was.
  if (taken) (void)rename_without_replacing(to.get(), target, *from, name);
  return changed();
}

std::vector<std::string> Trash::expire(UnixNanos now, unsigned days) {
  constexpr std::int64_t day = 86'400'000'000'000;
  std::vector<std::string> out;
  const std::string top(trash_name);
  const auto directory = tree_.directory(top);
  if (!directory) return out;
  for (const std::string& name : names_in(*directory)) {
    const auto made = moment_of(name);
    if (!made || now.value - made->value <= static_cast<std::int64_t>(days) * day) continue;
    if (remove_tree(joined(top, name))) out.push_back(name);
  }
  return out;
}

bool Trash::remove_tree(const std::string& path) {
  std::vector<std::string> all{path};  // each directory before those in it
  for (std::size_t n = 0; n < all.size(); ++n) {
    const std::string each = all[n];
    const auto directory = tree_.directory(each);
    if (!directory) continue;
    for (const std::string& name : names_in(*directory)) {
      const auto found = look(*directory, name);
      if (found && found->kind == Kind::directory)
        all.push_back(joined(each, name));
      else
        (void)::unlinkat(*directory, name.c_str(), 0);
    }
  }
  bool is_gone = false;
  for (auto each = all.rbegin(); each != all.rend(); ++each) {
    const auto above = tree_.directory(parent_of(*each));
    tree_.forget(*each);
    const std::string name(name_of(*each));
    is_gone = above && ::unlinkat(*above, name.c_str(), AT_REMOVEDIR) == 0;
  }
  return is_gone;
}

}  // namespace satchel::sync
