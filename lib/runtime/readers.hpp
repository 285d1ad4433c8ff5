// What reads a device's files and changes nothing: syncs, verifications, exports, checks of its
// memory; and probes, which fill its free space for a while. Merges and folds wait for those that
// read disks or fill, and end a check of memory that borrows from the disks; an eject or a pull
// ends all but exports, which hold the device themselves. Owned by Parts; loop thread only.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "async/lanes.hpp"
#include "base/ids.hpp"
#include "core/words.hpp"

namespace satchel {

class Readers {
 public:
  /// to_its_end: disks, by something that neither an eject nor a merge ends.
  enum class Reads { disks, memory, memory_and_disks, what_it_fills, to_its_end };
  struct Reading {
    std::string operation;  ///< as jobs have it: "sync"
    CapsuleId capsule;
    core::Insertion device;
    std::function<void()> stop;
    std::function<void()> ended;  ///< told once it has
    Reads reads = Reads::disks;
  };

 private:
  struct Entry {
    Reading reading;
    std::shared_ptr<boost::asio::steady_timer> ended;
  };

 public:
  /// While one lives, its reading is under way.
  class Ticket {
   public:
    Ticket(Readers& readers, boost::asio::any_io_executor loop, Reading reading);
    ~Ticket();
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;

   private:
    Readers& readers_;
    std::list<Entry>::iterator entry_;
  };
  /// One that a merge on this device waits for; null: there is none.
  const Reading* on(core::Insertion device) const;
  /// The capsule on which one of that operation is at work.
  std::optional<CapsuleId> doing(const std::string& operation) const;
  bool is_doing(const std::string& operation, CapsuleId capsule) const;

  /// Has those that read this device end soon.
  void stop_on(core::Insertion device) const;
  /// Stops those that read this device, or this capsule's disks, and waits for their ends.
  Task<void> end_on(core::Insertion device);
  Task<void> end_of(CapsuleId capsule);
  /// The same for those that fill this device.
  Task<void> end_filling(core::Insertion device);
  /// Stops all, and waits for their ends.
  Task<void> end_all();

 private:
  Task<void> end(std::function<bool(const Reading&)> which);

  std::list<Entry> entries_;
};

}  // namespace satchel
