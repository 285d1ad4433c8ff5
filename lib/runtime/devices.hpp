// The devices of ours that are in this host's ports: mounted when they come, let go of when nothing
// uses them any more. Knows nothing of what capsules do; the hooks tell whoever does. Loop thread.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/beside.hpp"
#include "base/fault.hpp"
#include "core/event.hpp"
#include "core/words.hpp"
#include "runtime/parts.hpp"
#include "runtime/silence.hpp"
#include "runtime/stick.hpp"
#include "runtime/view.hpp"

namespace satchel {

/// How a device is let go of.
struct LettingGo {
  enum class Unmount {
    at_once,
    by_asker_first,  ///< a file manager tries again by itself: its own unmount should succeed
  };
  PowerOff power_off = PowerOff::no;
  Unmount unmount = Unmount::at_once;
};
/// As fits who asked: a file manager unmounts and powers off by itself.
LettingGo letting_go(const Config& config, core::Requester by);

class Devices {
 public:
  struct Hooks {
    std::function<void(core::Insertion, CapsuleId)> capsule_seen;
    std::function<void(core::Insertion)> gone;
    /// Whether a capsule other than this one needs the device mounted.
    std::function<bool(core::Insertion, std::optional<CapsuleId> asking)> in_use;
    /// Whether a job of the host's works on it.
    std::function<bool(core::Insertion)> busy;
    std::function<void(core::Insertion)> released;
    /// Somebody outside wants the device: "safely remove" and the like.
    std::function<void(const RemovalRequest&, DeviceNumber)> removal_wanted;
    std::function<void()> changed;
  };
  Devices(Parts& parts, Hooks hooks);

  /// Listens from here on. Returns when the devices that are there were told of; they are examined
  /// after that.
  void start();

  std::shared_ptr<Stick> stick(core::Insertion insertion) const;
  /// Returns when a device that was just plugged in has been looked at, or could not be.
  Task<void> looked_at(core::Insertion insertion);
  /// The stick, mounted (again): for a launch after an eject; one that could not be used when it
  /// came is tried once more. Throws Fault when it is gone, or why it can't be used.
  Task<std::shared_ptr<Stick>> mounted_stick(core::Insertion insertion);
  /// The insertion that a session of an earlier run of the daemon has open, if it is still in.
  std::optional<core::Insertion> same_insertion(const std::string& fs_uuid,
                                                std::uint64_t disk_sequence) const;
  std::optional<core::Insertion> insertion_of(DeviceNumber number) const;
  std::optional<DeviceNumber> number_of(core::Insertion insertion) const;
  std::optional<core::Insertion> at(const std::string& node) const;
  std::string node_of(core::Insertion insertion) const;
  /// Those that are mounted and hold this capsule, as seen when they came; the oldest first.
  std::vector<core::Insertion> holding(CapsuleId capsule) const;
  /// It was removed from that device.
  void forget(core::Insertion insertion, CapsuleId capsule);

  /// Unmounts and, where asked and possible, powers the port off, unless another capsule uses the
  /// device. Throws Fault when something outside keeps it busy; then it stays mounted and open.
  Task<core::DeviceUse> release(core::Insertion insertion, std::optional<CapsuleId> asking,
                                LettingGo how);
  /// What else on the same drive is in use, for people: "/dev/sdb2 (FOTOS)". What may be pulled is
  /// the drive. Of filesystems that are not Satchel's, those that were mounted when this one was
  /// let go of, until they are unmounted. Empty when nothing is.
  std::string in_use_beside(core::Insertion insertion) const;

  /// Looks at the free space again and tells it when it is known.
  void look_at_space(core::Insertion insertion);
  void note_write(core::Insertion insertion, ByteCount bytes, std::chrono::milliseconds took);
  void note_read(core::Insertion insertion, ByteCount bytes, std::chrono::milliseconds took);

  /// Of one on which something is under way: how long it has not answered. Said once, and when it
  /// answers again.
  std::chrono::seconds look_at_silence(core::Insertion insertion,
                                       std::chrono::steady_clock::time_point now);
  /// Nothing is under way on it any more.
  void look_away(core::Insertion insertion);

  std::vector<DeviceView> views() const;
  /// What may be pulled is the drive: a device is no better off than what is beside it.
  void share_drives(std::vector<DeviceView>& devices) const;

 private:
  struct Entry {
    Plug plug;
    DeviceView view;
    std::optional<Beside> arriving;
    std::vector<CapsuleId> capsules{};  ///< found on it when it came
    std::shared_ptr<Stick> stick;    ///< null while it is being looked at, or when it could not be
    std::optional<Fault> refusal{};  ///< why it could not be
    std::string drive{};
    std::vector<std::string> mounted_beside{};  ///< on the same drive, and not Satchel's
    Silence silence{};
    std::chrono::seconds silent{};  ///< as last seen
  };
  void present(const Plug& plug);
  void absent(const std::string& node);
  void removal_requested(const RemovalRequest& request);
  Task<void> arrive(core::Insertion insertion);
  Task<void> look(core::Insertion insertion);
  Task<void> take_in(core::Insertion insertion);
  struct Content {
    std::vector<CapsuleId> capsules;
    ByteCount free;
  };
  /// Mounts it and reads what is on it; a mount that was made for this goes again where that fails.
  Task<Content> open_up(std::shared_ptr<Stick> stick);
  Task<void> measure_space(core::Insertion insertion);
  Task<void> unmount(std::string node, LettingGo::Unmount how);
  static LogLine free_line(const Entry& entry);
  Task<void> let_go_of_drive(core::Insertion insertion, PowerOff power_off);
  Task<void> look_beside(core::Insertion insertion);
  Task<void> watch_beside(core::Insertion insertion);
  Entry* find(core::Insertion insertion);
  const Entry* find(core::Insertion insertion) const;

  Parts& parts_;
  Hooks hooks_;
  std::uint64_t insertions_ = 0;
  std::map<core::Insertion, Entry> entries_;
};

}  // namespace satchel
