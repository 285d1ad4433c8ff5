#include "format/removal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "format/capsule_state.hpp"

namespace satchel::format {

namespace {

/// In both slots of what is being removed, the one after the other, in their own sectors: it takes
/// no room, and from the first of them on it is no capsule any more.
constexpr std::string_view removal_mark = "Satchel: this machine was removed\n";

bool has_slots(int top, const std::string& name) {
  return std::ranges::all_of(slot_paths, [&](const char* slot) {
    return open_file(top, name + "/" + slot, O_RDONLY).has_value();
  });
}

bool is_marked(int directory, const std::string& slot) {
  const auto bytes = read_whole(directory, slot, sizeof(SlotBytes));
  return bytes && bytes->starts_with(removal_mark);
}

bool is_being_removed(int top, const std::string& name) {
  return std::ranges::any_of(slot_paths,
                             [&](const char* slot) { return is_marked(top, name + "/" + slot); });
}

void mark(int capsule, const std::string& shown) {
  SlotBytes bytes{};
  std::memcpy(bytes.data(), removal_mark.data(), removal_mark.size());
  for (const char* slot : slot_paths) {
    auto file = open_file(capsule, slot, O_WRONLY);
    if (!file && file.error() == ENOENT) continue;
    const auto path = shown + "/" + slot;
    const UniqueFd record = or_fault(std::move(file), "open", path);
    write_at(record.get(), 0, bytes, path);
    sync_file(record.get(), path);
  }
}

void remove_directory(int above, const std::string& name, const std::string& shown) {
  if (::unlinkat(above, name.c_str(), AT_REMOVEDIR) != 0)
    throw fault_from_errno(errno, "remove", shown);
}

// Everything in a directory but one name, links themselves and not what they lead to.
void empty_directory(int directory, const std::string& shown, unsigned deepest,
                     std::string_view but = {}) {
  for (const auto& name : names_in(directory, shown)) {
    if (name == but) continue;
    const std::string path = shown + "/" + name;
    const auto below = open_directory(directory, name);
    if (!below) {
      if (below.error() != ENOTDIR && below.error() != ELOOP)
        throw fault_from_errno(below.error(), "open", path);
      remove_file(directory, name, path);
      continue;
    }
    if (deepest == 0)
      throw Fault(Remedy::ask_admin,
                  {"remove", path, "it is deeper than anything of a capsule", {}});
    empty_directory(below->get(), path, deepest - 1);
    remove_directory(directory, name, path);
  }
}

/// The slots last: they tell what this is as long as anything of it is there.
void take_away(int top, const std::string& name, const std::string& shown) {
  const UniqueFd capsule = or_fault(open_directory(top, name), "open", shown);
  empty_directory(capsule.get(), shown, 2, "slots");
  sync_directory(capsule.get(), shown);
  empty_directory(capsule.get(), shown, 1);
  remove_directory(top, name, shown);
}

bool says_nothing(int directory, const std::string& slot) {
  const auto bytes = read_whole(directory, slot, sizeof(SlotBytes));
  return bytes &&
         (bytes->find_first_not_of('\0') == bytes->npos || bytes->starts_with(removal_mark));
}

// Whether its making was cut short before it was a capsule, or its removal at its very end: nothing
// in it is anybody's. What has lost its slots has more.
bool is_unbegun(int capsule, const std::string& shown) {
  return std::ranges::all_of(names_in(capsule, shown), [&](const std::string& name) {
    const auto below = open_directory(capsule, name);
    if (!below || (name != "heads" && name != "slots")) return false;
    const auto within = names_in(below->get(), shown + "/" + name);
    return name == "heads" ? within.empty()
                           : std::ranges::all_of(within, [&](const std::string& slot) {
                               return says_nothing(below->get(), slot);
                             });
  });
}

}  // namespace

std::string shown_as(CapsuleId id) { return std::string(top_directory) + "/" + id.value.str(); }

bool is_capsule(int top, const std::string& name) {
  return has_slots(top, name) && !is_being_removed(top, name);
}

void remove_leftovers(int top) {
  for (const auto& name : names_in(top, top_directory)) {
    const auto id = Uuid::parse(name);
    if (!id || id->str() != name || is_capsule(top, name)) continue;
    const auto capsule = open_own_directory(top, name);
    const auto shown = shown_as(CapsuleId(*id));
    if (!capsule || !(is_being_removed(top, name) || is_unbegun(capsule->get(), shown))) continue;
    take_away(top, name, shown);
  }
}

void CapsuleDirectory::remove(int root, CapsuleId id) {
  const std::string shown = shown_as(id);
  const UniqueFd top = or_fault(open_directory(root, top_directory), "open", top_directory);
  const UniqueFd capsule = or_fault(open_directory(top.get(), id.value.str()), "open", shown);
  mark(capsule.get(), shown);
  take_away(top.get(), id.value.str(), shown);
  sync_directory(top.get(), top_directory);
}

}  // namespace satchel::format
