// The system's storage service UDisks2 over the bus: the real Volumes. Asks anew each time and
// stores nothing but who is on which drive, for announcements. Owned by the composition root; loop
// thread only; the bus must outlive it.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bus/bus.hpp"
#include "ports/volumes.hpp"
#include "udisks/block_devices.hpp"

namespace satchel {

class UDisksVolumes : public Volumes {
 public:
  /// `patience`: how long UDisks2 may take to notice a device that the kernel has announced.
  explicit UDisksVolumes(Bus& bus, std::chrono::milliseconds patience = std::chrono::seconds(10));

  /// Waits for UDisks2 to notice a device that the kernel has already, so that it can be asked
  /// right after udev's event.
  Task<std::optional<Volume>> find(std::string node) override;
  Task<std::vector<Volume>> all() override;
  Task<std::string> mount(std::string node) override;
  Task<void> unmount(std::string node) override;
  Task<bool> power_off(std::string node) override;
  Task<UniqueFd> open(std::string node) override;
  /// Refuses a device that is mounted or otherwise used, its partitions and content included:
  /// UDisks2 wipes its signatures first and only then notices.
  Task<void> format(std::string node, std::string fs_type, std::string label) override;
  void listen(std::function<void(RemovalRequest)> on_request) override;

 private:
  class OwnJob;
  enum class Wanted { device, filesystem };

  Task<BlockDevices> look(std::string doing, std::string node);
  /// The device as soon as UDisks2's view of it is the kernel's; as it stands when that takes too
  /// long; none when it never came.
  Task<std::optional<BlockDevice>> settled(std::string doing, std::string node, Wanted wanted);
  /// The object of a device that may be written to as a whole: settled, and in nobody's use.
  Task<ObjectPath> unused(std::string doing, std::string node);
  Task<void> wait_for_news(std::chrono::steady_clock::time_point deadline);
  Task<std::string> try_mount(ObjectPath path, std::string options);
  /// Unmounts what somebody else mounted in a way that would leave a machine open to others. In use
  /// is Remedy::retry.
  Task<void> unmount_open(BlockDevice device);
  /// None when UDisks2 has taken the object away since.
  Task<std::optional<std::string>> mount_known(BlockDevice device);
  void heard(Message signal);
  void heard_job(const Dictionary& job);

  Bus& bus_;
  std::chrono::milliseconds patience_;
  std::function<void(RemovalRequest)> on_request_;
  BlockDevices last_seen_;
  std::multiset<ObjectPath> own_jobs_;  ///< objects that our calls under way are about
  std::uint64_t news_ = 0;              ///< signals heard of UDisks2
  std::set<boost::asio::steady_timer*> waiting_;
  Match signals_;
};

}  // namespace satchel
