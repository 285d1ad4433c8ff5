#include "runtime/readers.hpp"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>
#include <vector>

namespace satchel {

Readers::Ticket::Ticket(Readers& readers, boost::asio::any_io_executor loop, Reading reading)
    : readers_(readers) {
  auto ended = std::make_shared<boost::asio::steady_timer>(std::move(loop));
  ended->expires_at(boost::asio::steady_timer::time_point::max());
  entry_ =
      readers.entries_.insert(readers.entries_.end(), Entry{std::move(reading), std::move(ended)});
}

Readers::Ticket::~Ticket() {
  const auto entry = std::move(*entry_);
  readers_.entries_.erase(entry_);
  entry.ended->cancel();
  if (entry.reading.ended) entry.reading.ended();
}

const Readers::Reading* Readers::on(core::Insertion device) const {
  for (const auto& each : entries_)
    if (each.reading.device == device && each.reading.reads != Reads::memory &&
        each.reading.reads != Reads::memory_and_disks)
      return &each.reading;
  return nullptr;
}

std::optional<CapsuleId> Readers::doing(const std::string& operation) const {
  for (const auto& each : entries_)
    if (each.reading.operation == operation) return each.reading.capsule;
  return std::nullopt;
}

bool Readers::is_doing(const std::string& operation, CapsuleId capsule) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& each) {
    return each.reading.operation == operation && each.reading.capsule == capsule;
  });
}

void Readers::stop_on(core::Insertion device) const {
  std::vector<std::function<void()>> stops;
  for (const auto& each : entries_)
    if (each.reading.device == device && each.reading.stop) stops.push_back(each.reading.stop);
  for (const auto& stop : stops) stop();
}

Task<void> Readers::end_on(core::Insertion device) {
  return end([device](const Reading& each) { return each.device == device; });
}

Task<void> Readers::end_of(CapsuleId capsule) {
  return end([capsule](const Reading& each) {
    return each.capsule == capsule &&
           (each.reads == Reads::disks || each.reads == Reads::memory_and_disks);
  });
}

Task<void> Readers::end_filling(core::Insertion device) {
  return end([device](const Reading& each) {
    return each.device == device && each.reads == Reads::what_it_fills;
  });
}

Task<void> Readers::end_all() {
  return end([](const Reading&) { return true; });
}

Task<void> Readers::end(std::function<bool(const Reading&)> which) {
  for (;;) {
    const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& each) {
      return each.reading.reads != Reads::to_its_end && which(each.reading);
    });
    if (found == entries_.end()) co_return;
    const auto ended = found->ended;
    const auto stop = found->reading.stop;
    stop();
    // Cancelled when it has ended; whatever else wakes this looks again.
    boost::system::error_code woken;
    co_await ended->async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, woken));
  }
}

}  // namespace satchel
