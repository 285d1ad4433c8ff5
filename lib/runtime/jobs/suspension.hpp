// One guest on its way through the save gate: libvirt saves on one lane while we read, encode and
// write on another. Every job that makes one ends it, by let_go() or by keep_guest(). Loop thread.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "async/beside.hpp"
#include "format/capsule_directory.hpp"
#include "hibernation/page_codec.hpp"
#include "hibernation/save_gate.hpp"
#include "runtime/jobs/rescue.hpp"
#include "runtime/parts.hpp"

namespace satchel {

class Suspension {
 public:
  /// Begins the save. The guest stops now. With a rescue the stream is read to its end also when
  /// the device is lost.
  Suspension(Parts& parts, DomainId domain, const std::filesystem::path& directory,
             std::stop_token stop, std::shared_ptr<Rescue> rescue = {});
  Suspension(const Suspension&) = delete;
  Suspension& operator=(const Suspension&) = delete;

  struct Shipped {
    hibernation::EncodedPages encoded;
    format::Object pages;
  };
  /// Reads the stream to its end into the pages object of the generation `number`, but for the
  /// pages that `base` has. At its end QEMU has released its disks. Throws at the stream's end when
  /// the device was lost on the way and the rescue has it whole.
  Task<Shipped> ship(format::CapsuleDirectory& capsule, Sequence number, hibernation::PageBase base,
                     ProgressSink progress);

  /// Lets libvirt finish: the guest is gone when this returns. Throws when libvirt says otherwise.
  Task<void> let_go();
  /// The same, whatever libvirt says: where the machine is now must be the only place where it goes
  /// on. `where`: "on its device".
  Task<void> end_guest(std::string name, std::string where);
  /// Makes the save fail and waits until it has: the guest is as it was before. No error when the
  /// save has ended already.
  Task<void> keep_guest();

 private:
  Parts& parts_;
  DomainId domain_;
  std::shared_ptr<hibernation::SaveGate> gate_;
  /// Stops the reading when the stream stands still without a device.
  class Patience;

  std::shared_ptr<Rescue> rescue_;
  std::stop_source reading_;  ///< the job was stopped, or the save has failed
  std::stop_source over_;     ///< the save has failed
  std::shared_ptr<Patience> patience_;
  std::stop_callback<std::function<void()>> job_stopped_;
  Beside save_;
};

}  // namespace satchel
