#include "client.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <utility>

namespace satchel::cli {

using namespace std::chrono_literals;

namespace {

constexpr auto redraw = 100ms;

std::uint64_t number_of(const std::string& job) { return read_job(job, {}).id.value; }

}  // namespace

Client::Client(boost::asio::io_context& loop) try
    : interrupt_(loop),
      timer_(loop),
      bus_(loop.get_executor(), BusListener{[this](std::string) { lost_ = true, wake(); }, {}}) {
  subscribe();
} catch (const BusError& error) {
  throw no_bus(error);
}

Client::Client(boost::asio::io_context& loop, const std::string& address) try
    : interrupt_(loop),
      timer_(loop),
      bus_(loop.get_executor(), address,
           BusListener{[this](std::string) { lost_ = true, wake(); }, {}}) {
  subscribe();
} catch (const BusError& error) {
  throw no_bus(error);
}

void Client::subscribe() {
  signals_ = bus_.match(
      "type='signal',sender='org.satchel.Satchel1',"
      "path_namespace='/org/satchel/Satchel1'",
      [this](Message signal) { heard(std::move(signal)); });
  names_ = bus_.watch_name(service_name, [this](std::string owner) {
    owner_ = std::move(owner);
    wake();
  });
}

Client::Interrupts::Interrupts(Client& client) : client_(client) {
  client_.interrupts_ = 0;
  client_.interrupt_.add(SIGINT);
  client_.interrupt_.add(SIGTERM);
  client_.await_interrupt();
}

Client::Interrupts::~Interrupts() {
  client_.interrupt_.clear();
  client_.interrupt_.cancel();
}

void Client::await_interrupt() {
  interrupt_.async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    interrupts_ += signal == SIGINT ? 1 : 2;  // whoever sends SIGTERM does not wait
    wake();
    await_interrupt();
  });
}

void Client::wake() {
  ++news_;
  timer_.cancel();
}

void Client::heard(Message signal) {
  if (signal.member() == "JobRemoved") {
    const auto job = signal.read<ObjectPath>().value;
    JobEnd end;
    end.id = JobId(number_of(job));
    end.result = signal.read<std::string>();
    end.message = signal.read<std::string>();
    ends_.insert_or_assign(job, std::move(end));
  }
  wake();
}

std::vector<JobEnd> Client::take_ends() {
  std::vector<JobEnd> out;
  for (auto& [path, end] : std::exchange(ends_, {})) out.push_back(std::move(end));
  return out;
}

Task<Message> Client::answered(Task<Message> call) {
  try {
    co_return co_await std::move(call);
  } catch (const BusError& error) {
    throw Refusal(error);
  }
}

Task<HostView> Client::overview() {
  try {
    auto asking_manager = bus_.properties(service_name, root_path, manager_interface);
    const auto manager = co_await std::move(asking_manager);
    auto asking_objects = bus_.managed_objects(service_name, root_path);
    const auto objects = co_await std::move(asking_objects);
    co_return read_overview(objects, manager);
  } catch (const BusError& error) {
    throw Refusal(error);
  }
}

Task<bool> Client::daemon_runs() {
  auto looking = refresh_owner();
  co_await std::move(looking);
  co_return !owner_.empty();
}

Task<void> Client::wait_for_news(std::uint64_t seen, std::chrono::milliseconds longest) {
  if (news_ != seen) co_return;
  timer_.expires_after(longest);
  // Cancelled by news, or the time is over: the asker looks which.
  co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
}

Task<void> Client::refresh_owner() {
  try {
    auto asking = bus_.name_owner(service_name);
    owner_ = co_await std::move(asking);
  } catch (const BusError& error) {
    throw Refusal(error);
  }
}

Task<void> Client::report(std::string job, const Follower& follower) {
  try {
    auto asking = bus_.properties(service_name, job, job_interface);
    const auto properties = co_await std::move(asking);
    if (follower.progress) follower.progress(read_job(job, properties));
  } catch (const BusError& error) {
    // Ended meanwhile: JobRemoved, or the loss of the daemon, tells how.
    if (!error.name().starts_with("org.freedesktop.DBus.Error.Unknown") && !error.is_absent())
      throw Refusal(error);
  }
}

Task<JobEnd> Client::follow(std::string job, Follower follower) {
  const Interrupts interrupts(*this);
  auto looking = refresh_owner();
  co_await std::move(looking);
  bool cancel_asked = false;
  bool is_cancelled = false;
  auto next_report = std::chrono::steady_clock::now();
  for (;;) {
    const auto seen = news_;
    if (const auto end = ends_.find(job); end != ends_.end()) co_return end->second;
    if (lost_ || owner_.empty())
      throw Refusal(ExitCode::no_daemon, "satcheld ended while it was at work.",
                    "'journalctl -u satcheld' tells why; what it was doing is undone or continued "
                    "when it starts again.");
    if (interrupts.count() > 1 && is_cancelled)
      throw Refusal(ExitCode::cancelled,
                    "It is being cancelled; satchelctl did not wait for its end.",
                    "'satchelctl status' shows what became of it.");
    if (interrupts.count() > 1)
      throw Refusal(ExitCode::left_running, "The job goes on without satchelctl.",
                    "'satchelctl status' shows it.");
    if (interrupts.count() == 1 && !cancel_asked) {
      cancel_asked = true;
      if (follower.notice)
        follower.notice("Cancelling; press Ctrl-C again not to wait for its end.");
      auto asking = ask(job, job_interface, "Cancel");
      try {
        co_await std::move(asking);
        is_cancelled = true;
      } catch (const Refusal& refusal) {
        if (follower.notice) follower.notice("It can't be cancelled: " + refusal.reason());
      }
      continue;
    }
    const auto now = std::chrono::steady_clock::now();
    if (now >= next_report) {
      next_report = now + redraw;
      auto reporting = report(job, follower);
      co_await std::move(reporting);
    }
    auto waiting = wait_for_news(seen, redraw);
    co_await std::move(waiting);
  }
}

}  // namespace satchel::cli
