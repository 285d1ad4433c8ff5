// Reads a device beside a running machine: a piece at a time, at the rate of merges, until it has
// all or somebody needs the device. Loop thread.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "runtime/parts.hpp"

namespace satchel {

class BesideReading {
 public:
  /// Known to Parts::readers as long as it lives.
  BesideReading(Parts& parts, std::string operation, CapsuleId capsule, core::Insertion device,
                Readers::Reads reads);
  BesideReading(const BesideReading&) = delete;
  BesideReading& operator=(const BesideReading&) = delete;

  bool is_stopped() const { return stopping_.stop_requested(); }
  std::stop_token stop() const { return stopping_.get_token(); }
  /// Until `step`, which reads about so much on the files lane, has nothing more to read (true), or
  /// until it is stopped (false). Throws what `step` throws.
  Task<bool> run(std::function<bool(ByteCount)> step);

 private:
  Parts& parts_;
  std::shared_ptr<boost::asio::steady_timer> pause_;
  std::stop_source stopping_;
  Readers::Ticket ticket_;
};

}  // namespace satchel
