// monitor: what changes, a line each, until somebody stops it.
#include <ctime>
#include <map>
#include <optional>
#include <ostream>

#include "commands.hpp"
#include "json.hpp"

namespace satchel::cli {

namespace {

using namespace std::chrono_literals;

std::string clock_now() {
  const auto now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  char text[16];
  const auto length = std::strftime(text, sizeof text, "%H:%M:%S", &parts);
  return std::string(text, length);
}

/// What is worth a line of each object: a change of it is an event.
struct Seen {
  std::map<std::string, std::string> devices, capsules, jobs;
};

std::string words(const DeviceView& device) {
  auto out = device.mount_point.empty() ? "plugged in" : "mounted at " + device.mount_point;
  return out + (device.can_unplug ? "; can be unplugged" : "; must not be unplugged");
}

std::string words(const CapsuleView& capsule) {
  auto out = capsule.state;
  if (capsule.generation.value) out += ", generation " + std::to_string(capsule.generation.value);
  if (!capsule.detail.empty()) out += ": " + capsule.detail;
  if (!capsule.next_step.empty()) out += " " + capsule.next_step;
  return out;
}

Seen see(const HostView& host) {
  Seen seen;
  for (const auto& device : host.devices) seen.devices[device.node] = words(device);
  for (const auto& capsule : host.capsules)
    seen.capsules[capsule.name.empty() ? capsule.id.value.str() : capsule.name] = words(capsule);
  for (const auto& job : host.running_jobs)
    seen.jobs[std::to_string(job.id.value)] =
        job.operation + (job.step.empty() ? "" : ", " + job.step);
  return seen;
}

class Teller {
 public:
  explicit Teller(Context& context) : context_(context) {}

  void tell(const std::string& kind, const std::string& object, const std::string& what) {
    if (context_.output == Output::json)
      context_.out << json_of_event(kind, object, what);
    else
      context_.out << toned(clock_now(), Tone::faint, context_.screen) << "  "
                   << wrapped(kind + " " + printable(object) + ": " + printable(what),
                              context_.screen.width, 10, 10)
                   << '\n';
    context_.out << std::flush;
  }

  void compare(const Seen& now) {
    compare("device", before_.devices, now.devices, "unplugged");
    compare("capsule", before_.capsules, now.capsules, "forgotten");
    compare("job", before_.jobs, now.jobs, "");
    before_ = now;
  }

 private:
  using Words = std::map<std::string, std::string>;

  void compare(const std::string& kind, const Words& before, const Words& now,
               const std::string& gone) {
    for (const auto& [object, what] : now) {
      const auto earlier = before.find(object);
      if (earlier == before.end() || earlier->second != what) tell(kind, object, what);
    }
    for (const auto& [object, what] : before)
      if (now.count(object) == 0 && !gone.empty()) tell(kind, object, gone);
  }

  Context& context_;
  Seen before_;
};

}  // namespace

Task<ExitCode> monitor(Context& context) {
  Teller teller(context);
  auto& client = context.client;
  bool there = true;
  const Client::Interrupts interrupts(client);
  while (interrupts.count() == 0) {
    const auto seen = client.news();
    std::optional<HostView> host;
    try {
      auto asking = client.overview();
      host = co_await std::move(asking);
    } catch (const Refusal& refusal) {
      if (refusal.code() != ExitCode::no_daemon) throw;
      if (there) teller.tell("satcheld", "org.satchel.Satchel1", "not running; waiting for it");
    }
    there = host.has_value();
    if (host) teller.compare(see(*host));
    for (const auto& end : client.take_ends())
      teller.tell("job", std::to_string(end.id.value),
                  end.message.empty() ? end.result : end.result + ": " + end.message);
    auto waiting = client.wait_for_news(seen, 1h);
    co_await std::move(waiting);
  }
  co_return ExitCode::done;
}

}  // namespace satchel::cli
