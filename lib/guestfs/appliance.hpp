// The small machine of libguestfs that reads a guest's filesystems, so that the host's kernel never
// sees them. Its disks come by NBD and are read-only; what a mount has to write (a journal's
// replay) goes to a scratch file on the host. Owned by the worker; blocking, one thread, but for
// cancel().
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sync/guest_place.hpp"
#include "sync/guest_tree.hpp"

namespace satchel::guestfs {

struct ApplianceOrder {
  std::string socket;                     ///< path of the NBD server's Unix socket
  std::vector<std::string> disks;         ///< its exports: the guest's disks, "vda" …, in order
  std::filesystem::path temporary;        ///< directory for scratch files
  std::filesystem::path cache;            ///< where libguestfs keeps the appliance once built
  std::function<void(std::string)> step;  ///< told what is being done: "starting the reader"
};

class Appliance {
 public:
  /// Starts it: some seconds. By KVM where that works.
  explicit Appliance(ApplianceOrder order);
  Appliance(const Appliance&) = delete;
  Appliance& operator=(const Appliance&) = delete;
  ~Appliance();

  /// The tree at this place of the guest; the one before must not be used any more. Throws Fault
  /// naming what there is when the place is not.
  std::unique_ptr<sync::GuestTree> open(const sync::GuestPlace& place);

  /// Ends a transfer under way as failed; any thread.
  void cancel();

 private:
  class Machine;
  std::unique_ptr<Machine> machine_;
};

}  // namespace satchel::guestfs
