// Where what syncs take away goes: .satchel-trash/2026-11-22 10.15/ and the path it had. Inside
// lib/sync only. Blocking; one thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "sync/host_tree.hpp"
#include "sync/host_write.hpp"

namespace satchel::sync {

class Trash {
 public:
  Trash(HostTree& tree, std::string moment) : tree_(tree), moment_(std::move(moment)) {}

  /// Moves it there when it is still what was seen. None when that is done. Throws Fault when there
  /// can be no trash folder.
  std::optional<Obstacle> take(const HostEntry& entry);

  /// Removes the folders that are older than so many days; gives their names. What can't be removed
  /// stays and is tried again at the next sync.
  std::vector<std::string> expire(UnixNanos now, unsigned days);

 private:
  struct Folder {
    std::string path;
    int fd;
  };
  Folder folder_for(std::string_view above);
  bool remove_tree(const std::string& path);

  HostTree& tree_;
  std::string moment_;
};

}  // namespace satchel::sync
