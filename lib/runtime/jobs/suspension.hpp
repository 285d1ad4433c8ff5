// One guest on its way through the save gate: libvirt saves on one lane while we read, encode and
// write on another. Every job that makes one ends it, by let_go() or by keep_guest(). Loop thread.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "async/beside.hpp"
#include "async/signal.hpp"
#include "format/capsule_directory.hpp"
#include "hibernation/page_codec.hpp"
#include "hibernation/save_gate.hpp"
#include "runtime/jobs/rescue.hpp"
#include "runtime/parts.hpp"

namespace satchel {

class Patience;

class Suspension {
 public:
  /// Begins the save. The guest stops now. With a rescue the stream is read to its end also when
  /// the device is lost.
  Suspension(Parts& parts, DomainId domain, const std::filesystem::path& directory,
             std::stop_token stop, std::shared_ptr<Rescue> rescue = {});
  /// Begins a snapshot: the guest goes on, and stands still only from the stream's end until it is
  /// let go, with these overlays over its disks. Its memory goes into `copy` alone.
  Suspension(Parts& parts, DomainId domain, const std::filesystem::path& directory,
             std::stop_token stop, std::shared_ptr<Rescue> copy,
             std::vector<Hypervisor::Overlay> overlays);
  Suspension(const Suspension&) = delete;
  Suspension& operator=(const Suspension&) = delete;

  struct Shipped {
    hibernation::EncodedPages encoded;
    format::Object pages;
  };
  /// What the disks show at the instant of the memory. Called on the files lane when the guest
  /// stands still, before its memory is looked at.
  using Lend =
      std::function<std::optional<hibernation::DiskPages>(const ContentKey&, std::stop_token)>;
  /// Reads the stream to its end into the pages object of the generation `number`, but for the
  /// pages that `base` or the disks have. At its end QEMU has released its disks. Throws at the
  /// stream's end when the device was lost on the way and the rescue has it whole.
  Task<Shipped> ship(format::CapsuleDirectory& capsule, Sequence number, hibernation::PageBase base,
                     Lend lend, ProgressSink progress);

  /// The same of a snapshot, into its copy. Throws Fault when that had to be given up.
  Task<hibernation::EncodedPages> ship_here(Sequence number, hibernation::PageBase base,
                                            ProgressSink progress);

  /// Given when the first bytes of a save are there: its guest stands still from then on, and what
  /// it wrote to its disks is in their files.
  std::shared_ptr<Signal> stands_still() const { return stands_still_; }

  /// Lets libvirt finish: after a save the guest is gone when this returns. Throws when libvirt
  /// says otherwise.
  Task<void> let_go();
  enum class Left {
    nothing,       ///< the guest is gone
    a_guest,       ///< libvirt did not let go of it, and it has run on
    nobody_knows,  ///< libvirt can't be asked
  };
  /// The same, whatever libvirt says: where the machine is now must be the only place where it goes
  /// on. Ends a guest that stands still; one that runs has done more than was saved, and is left
  /// alone. `where`: "on its device".
  Task<Left> end_guest(std::string name, std::string where);
  /// Makes the save fail and waits until it has: the guest is as it was before. No error when the
  /// save has ended already.
  Task<void> keep_guest();

 private:
  using Gate = std::shared_ptr<hibernation::SaveGate>;
  using OwnTags = hibernation::PageEncoderSettings::OwnTags;
  /// libvirt's part, begun with the gate's path.
  using Begin = std::function<Task<void>(std::string)>;
  /// Where this computer has not all that the new memory refers to.
  void stand_in_for_earlier(hibernation::PageSinks& sinks);
  Suspension(Parts& parts, DomainId domain, const std::filesystem::path& directory,
             std::stop_token stop, std::shared_ptr<Rescue> rescue, const Begin& begin);

  /// Reads the stream to its end and encodes it, on the files lane.
  hibernation::EncodedPages encode(Rescue* describe_to, const hibernation::PageSinks& sinks,
                                   Sequence number, hibernation::PageBase base, const Lend& lend,
                                   OwnTags own_tags, const ProgressSink& progress);
  /// Waits for such work, and throws the better reason when it fails.
  template <class T>
  Task<T> finish(Task<T> shipping);

  Parts& parts_;
  DomainId domain_;
  Gate gate_;
  std::shared_ptr<Rescue> rescue_;
  std::stop_source reading_;  ///< the job was stopped, or the save has failed
  std::stop_source over_;     ///< the save has failed
  std::shared_ptr<Signal> stands_still_ = std::make_shared<Signal>();
  std::shared_ptr<Patience> patience_;  ///< stops the reading
  std::stop_callback<std::function<void()>> job_stopped_;
  Beside save_;
};

}  // namespace satchel
