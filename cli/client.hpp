// satchelctl's end of the bus: asks the daemon, hears what changes there, follows a job to its end.
// Owned by main; one thread. What can't be done is thrown as Refusal.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bus/bus.hpp"
#include "exit_code.hpp"
#include "overview.hpp"

namespace satchel::cli {

class Client {
 public:
  /// The system bus; or the one at an address, for tests.
  explicit Client(boost::asio::io_context& loop);
  Client(boost::asio::io_context& loop, const std::string& address);

  Bus& bus() { return bus_; }

  Task<HostView> overview();
  /// Whether the daemon runs, which asking for anything else would start.
  Task<bool> daemon_runs();

  /// Calls a method; the user may be asked for a password meanwhile.
  template <class... Args>
  Task<Message> ask(std::string path, std::string interface, std::string method,
                    const Args&... args) {
    BusCall call(service_name, std::move(path), std::move(interface), std::move(method));
    call.timeout = BusCall::no_timeout;
    call.interaction = Interaction::allowed;
    return answered(bus_.call(std::move(call), args...));
  }

  /// How many signals of the daemon were heard so far.
  std::uint64_t news() const { return news_; }
  /// Waits until more than `seen` were heard, somebody presses Ctrl-C, or the time is over.
  Task<void> wait_for_news(std::uint64_t seen, std::chrono::milliseconds longest);
  /// How jobs ended that ended since this client exists, taken out of it.
  std::vector<JobEnd> take_ends();
  bool daemon_there() const { return !owner_.empty(); }

  /// While one lives, Ctrl-C and SIGTERM are counted instead of ending the program.
  class Interrupts {
   public:
    explicit Interrupts(Client& client);
    ~Interrupts();
    Interrupts(const Interrupts&) = delete;
    Interrupts& operator=(const Interrupts&) = delete;
    int count() const { return client_.interrupts_; }

   private:
    Client& client_;
  };

  struct Follower {
    std::function<void(const JobView&)> progress;
    std::function<void(std::string sentence)> notice;
  };
  /// Waits for the job's end. Ctrl-C asks the daemon to cancel it; the second one leaves it running
  /// (Refusal).
  Task<JobEnd> follow(std::string job, Follower follower);

 private:
  void subscribe();
  void heard(Message signal);
  void wake();
  void await_interrupt();
  Task<Message> answered(Task<Message> call);
  Task<void> refresh_owner();
  Task<void> report(std::string job, const Follower& follower);

  boost::asio::signal_set interrupt_;
  boost::asio::steady_timer timer_;
  Bus bus_;
  std::string owner_;
  std::uint64_t news_ = 0;
  int interrupts_ = 0;
  bool lost_ = false;
  std::map<std::string, JobEnd> ends_;
  Match signals_;
  Match names_;
};

}  // namespace satchel::cli
