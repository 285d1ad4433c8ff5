#include "bus/sleep.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <utility>

namespace satchel {

namespace {

constexpr auto logind = "org.freedesktop.login1";
constexpr auto logind_path = "/org/freedesktop/login1";
constexpr auto logind_interface = "org.freedesktop.login1.Manager";

}  // namespace

/// Shared with the call that asks for the lock, which may outlast its Sleep.
struct Sleep::Hold {
  Hold(Bus& of, Log& to) : bus(of), log(to) {}
  Bus& bus;
  Log& log;
  std::string reason;
  bool asking = false;
  UniqueFd lock;  ///< logind holds sleep off until it is closed
};

Sleep::Sleep(Bus& bus, Log& log, Listener listener)
    : hold_(std::make_shared<Hold>(bus, log)),
      told_(bus.match("type='signal',sender='org.freedesktop.login1',"
                      "interface='org.freedesktop.login1.Manager',member='PrepareForSleep'",
                      [listener = std::move(listener)](Message signal) {
                        const auto& act = signal.read<bool>() ? listener.begins : listener.ended;
                        if (act) act();
                      })) {}

Sleep::~Sleep() { hold_off({}); }

void Sleep::hold_off(const std::string& reason) {
  const bool held_off = !hold_->reason.empty();
  hold_->reason = reason;
  if (reason.empty()) hold_->lock.reset();
  if (reason.empty() || held_off || hold_->asking) return;
  hold_->asking = true;
  boost::asio::co_spawn(hold_->bus.executor(), take(hold_), boost::asio::detached);
}

Task<void> Sleep::take(std::shared_ptr<Hold> hold) {
  try {
    auto asking =
        hold->bus.call(logind, logind_path, logind_interface, "Inhibit", std::string("sleep"),
                       std::string("Satchel"), hold->reason, std::string("block"));
    auto reply = co_await std::move(asking);
    auto lock = reply.read<UniqueFd>();
    if (!hold->reason.empty()) hold->lock = std::move(lock);
  } catch (const BusError& error) {
    if (!error.is_absent() && !hold->reason.empty())
      hold->log.warning(std::string(error.what()) + "; the computer may fall asleep meanwhile");
  }
  hold->asking = false;
}

}  // namespace satchel
