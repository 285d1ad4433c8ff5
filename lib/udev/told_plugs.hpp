// What was told of block devices so far, and so what an event or an enumeration means: a repeated
// presence is told again, the end of one that is ours is told once, news that are older than what
// was told are dropped. Knows nothing of libudev; owned by UdevPlugs, loop thread only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ports/plugs.hpp"

namespace satchel {

class ToldPlugs {
 public:
  /// What udev says of one block device.
  struct News {
    std::string action;  ///< "add", "change", "remove", "move", "bind" …; empty: enumerated
    Plug plug;
    std::string sysfs_before;  ///< of a "move": where the device was; else empty
    enum class Tag { ours, not_ours } tag = Tag::not_ours;
  };

  void set_listener(Plugs::Listener listener) { listener_ = std::move(listener); }

  /// One event.
  void hear(News news);
  /// A whole enumeration: what is not in it is gone.
  void hear_all(std::vector<News> all);

 private:
  struct Known {
    std::string sysfs;
    std::uint64_t disk_sequence;
  };

  bool is_stale(const Plug& plug) const;
  void tell_present(Plug plug);
  void tell_absent(std::string node);

  Plugs::Listener listener_;
  std::map<std::string, Known> present_;  ///< by node
};

}  // namespace satchel
