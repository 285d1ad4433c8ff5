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
#include "hibernation/codec.hpp"
#include "hibernation/save_gate.hpp"
#include "runtime/parts.hpp"

namespace satchel {

class Suspension {
 public:
  /// Begins the save. The guest stops now.
  Suspension(Parts& parts, DomainId domain, const std::filesystem::path& directory,
             std::stop_token stop);
  Suspension(const Suspension&) = delete;
  Suspension& operator=(const Suspension&) = delete;

  struct Shipped {
    hibernation::Encoded encoded;
    format::Object pages;
  };
  /// Reads the stream to its end into a new object. At its end QEMU has released its disks.
  Task<Shipped> ship(format::CapsuleDirectory& capsule, std::string object, ProgressSink progress);

  /// Lets libvirt finish: the guest is gone when this returns. Throws when libvirt says otherwise.
  Task<void> let_go();
  /// Makes the save fail and waits until it has: the guest is as it was before. No error when the
  /// save has ended already.
  Task<void> keep_guest();

 private:
  Parts& parts_;
  std::shared_ptr<hibernation::SaveGate> gate_;
  std::stop_source reading_;  ///< the job was stopped, or the save has failed
  std::stop_source over_;     ///< the save has failed
  std::stop_callback<std::function<void()>> job_stopped_;
  Beside save_;
};

}  // namespace satchel
