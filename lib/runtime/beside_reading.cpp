#include "runtime/beside_reading.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <utility>

namespace satchel {

namespace asio = boost::asio;

namespace {

constexpr auto read_at_once = mebibytes(4);

/// For how long so much keeps a device busy at this rate; 0: any.
std::chrono::nanoseconds time_of(ByteCount amount, ByteCount rate) {
  if (rate.value == 0) return {};
  return std::chrono::nanoseconds(amount.value * 1'000'000'000 / rate.value);
}

}  // namespace

BesideReading::BesideReading(Parts& parts, std::string operation, CapsuleId capsule,
                             core::Insertion device, Readers::Reads reads)
    : parts_(parts),
      pause_(std::make_shared<asio::steady_timer>(parts.loop)),
      ticket_(*parts.readers, parts.loop,
              {std::move(operation),
               capsule,
               device,
               [stopping = stopping_, pause = pause_]() mutable {
                 stopping.request_stop();
                 pause->cancel();
               },
               {},
               reads}) {}

Task<bool> BesideReading::run(std::function<bool(ByteCount)> step) {
  bool more = true;
  while (more && !is_stopped()) {
    const auto began = std::chrono::steady_clock::now();
    auto reading = offload(parts_.lanes.files, [&] { return step(read_at_once); });
    more = co_await std::move(reading);
    if (!more || is_stopped()) break;
    boost::system::error_code woken;
    pause_->expires_at(began + time_of(read_at_once, parts_.config.merge.rate));
    co_await pause_->async_wait(asio::redirect_error(asio::use_awaitable, woken));
  }
  co_return !more;
}

}  // namespace satchel
