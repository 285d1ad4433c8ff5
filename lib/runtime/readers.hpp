// The jobs that read a device's files and change nothing: syncs and verifications. Merges and folds
// wait for them, an eject or a pull ends them. Owned by Parts; loop thread only.
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
  struct Reading {
    std::string operation;  ///< as jobs have it: "sync"
    CapsuleId capsule;
    core::Insertion device;
    std::function<void()> stop;
    std::function<void()> ended;  ///< told once it has
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
  /// One that reads this device; null: none does.
  const Reading* on(core::Insertion device) const;
  /// The capsule on which one of that operation is at work.
  std::optional<CapsuleId> doing(const std::string& operation) const;
  bool is_doing(const std::string& operation, CapsuleId capsule) const;

  /// Has those that read this device end soon.
  void stop_on(core::Insertion device) const;
  /// Stops those that read this device, or this capsule, and waits for their ends.
  Task<void> end_on(core::Insertion device);
  Task<void> end_of(CapsuleId capsule);

 private:
  Task<void> end(std::function<bool(const Reading&)> which);

  std::list<Entry> entries_;
};

}  // namespace satchel
