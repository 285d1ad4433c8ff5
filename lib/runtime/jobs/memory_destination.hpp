// Where an eject's memory goes: to the device, and into the second copy beside it. Files lane.
#pragma once

#include <cstddef>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "base/fault.hpp"
#include "format/capsule_directory.hpp"
#include "runtime/jobs/rescue.hpp"

namespace satchel {

/// A device that fails is written to no more when there is a rescue: what counts then is the rest
/// of the stream, without which the guest may have to stand still for good. A device that is merely
/// full has its files, with which the guest goes on at once.
class MemoryDestination {
 public:
  MemoryDestination(format::CapsuleDirectory& capsule, std::string object, Rescue* rescue)
      : rescue_(rescue) {
    on_device([&] { pages_.emplace(capsule.create_object(std::move(object))); });
  }

  void write(std::span<const std::byte> bytes) {
    if (rescue_) rescue_->write(bytes);
    on_device([&] { pages_->write(bytes); });
  }

  /// `map`: of what the rescue has.
  format::Object finish(const std::string& map) {
    if (rescue_) rescue_->finish(map);
    std::optional<format::Object> object;
    on_device([&] { object = pages_->finish(); });
    if (failed_) std::rethrow_exception(failed_);
    return std::move(*object);
  }

 private:
  template <class Act>
  void on_device(Act act) {
    // Nothing would come of the rest: QEMU shall not give it away.
    if (failed_ && !rescue_->is_kept()) std::rethrow_exception(failed_);
    if (failed_) return;
    try {
      act();
    } catch (const Fault& fault) {
      if (!rescue_ || !rescue_->is_kept() || fault.remedy() == Remedy::free_space) throw;
      failed_ = std::current_exception();
    }
  }

  Rescue* rescue_;
  std::optional<format::ObjectWriter> pages_;  ///< none: the device failed before it was made
  std::exception_ptr failed_;
};

}  // namespace satchel
