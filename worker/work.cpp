#include "work.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/fault.hpp"
#include "base/watch.hpp"
#include "crypto/digest.hpp"
#include "guestfs/appliance.hpp"
#include "owner.hpp"
#include "sync/guest_place.hpp"
#include "sync/sync.hpp"

namespace satchel::worker {

namespace fs = std::filesystem;

namespace {

UniqueFd made_directory(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
    throw fault_from_errno(errno, "make the folder", path);
  UniqueFd out(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!out) throw fault_from_errno(errno, "open the folder", path);
  return out;
}

/// What an earlier worker that was killed has left, and a place for our own.
fs::path scratch(const std::string& state) {
  const fs::path out = fs::path(state) / "scratch";
  fs::remove_all(out);
  made_directory(out, 0700);
  return out;
}

UniqueFd listening_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    throw Fault(Remedy::fix_config,
                Fault::Text{"listen at", path, "the state directory's path is too long", {}});
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd out(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!out || ::bind(out.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(out.get(), 16) != 0)
    throw fault_from_errno(errno, "listen at", path);
  return out;
}

UnixNanos now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return UnixNanos(std::chrono::duration_cast<std::chrono::nanoseconds>(since).count());
}

/// A rule's own directory: settled by what it maps.
std::string name_of(const sync::WorkRule& rule) {
  return digest_of(rule.guest + '\0' + rule.to).hex().substr(0, 32);
}

class Work {
 public:
  Work(const sync::WorkOrder& order, Channel& channel, std::stop_token stop)
      : order_(order), channel_(channel), stop_(std::move(stop)), scratch_(scratch(order.state)) {}

  void run() {
    const auto socket = order_.state + "/disks";
    ::unlink(socket.c_str());
    channel_.hand_over(listening_at(socket).get());
    guestfs::ApplianceOrder wanted;
    wanted.socket = socket;
    wanted.disks = order_.disks;
    wanted.temporary = scratch_;
    const char* cache = ::getenv("CACHE_DIRECTORY");
    wanted.cache = cache == nullptr ? "/var/tmp" : cache;
    wanted.step = [this](std::string step) { channel_.tell(Progress{std::move(step), {}, {}}); };
    Watch watch;
    guestfs::Appliance appliance(std::move(wanted));
    starting_ = watch.lap();
    const std::stop_callback cancel(stop_, [&] { appliance.cancel(); });
    for (const auto& rule : order_.rules) {
      if (stop_.stop_requested())
        throw Fault(Remedy::retry, Fault::Text{"sync", order_.capsule_name, "it was stopped", {}});
      sync::RuleEnd end{rule.guest, rule.to, {}, 0, {}};
      try {
        end.report = sync_one(appliance, rule);
        for (auto& line : end.report.lines) line.path = sync::shown(line.path);
      } catch (const Fault& fault) {
        end.fault = fault;
      }
      channel_.tell(std::move(end));
    }
    fs::remove_all(scratch_);
  }

 private:
  sync::Report sync_one(guestfs::Appliance& appliance, const sync::WorkRule& rule) {
    const auto place = sync::parse_guest_place(rule.guest);
    if (!place)
      throw Fault(Remedy::fix_config,
                  Fault::Text{"find", rule.guest, to_string(place.error()), {}});
    channel_.tell(Progress{"finding " + rule.guest, {}, {}});
    Watch watch;
    const auto tree = appliance.open(*place);
    const auto finding = watch.lap();
    const auto target = target_of(rule);
    // A dry run writes nothing that lasts: not even a first state.
    const bool dry = order_.extent == sync::Extent::dry_run;
    const auto base = order_.state + "/" + order_.capsule;
    const auto kept = base + "/" + name_of(rule);
    UniqueFd state;
    if (dry && !fs::exists(kept)) {
      state = made_directory(scratch_ / "state", 0700);
    } else {
      made_directory(base, 0700);
      state = made_directory(kept, 0700);
    }
    sync::Order wanted;
    wanted.capsule_name = order_.capsule_name;
    wanted.guest_shown = rule.guest;
    wanted.host_shown = rule.to;
    wanted.target = target.get();
    wanted.state = state.get();
    wanted.now = now();
    wanted.as_of = order_.as_of;
    wanted.trash_days = rule.trash_days;
    wanted.extent = order_.extent;
    wanted.emptiness = order_.emptiness;
    const auto progress = [this](const Progress& far) { tell_progress(far); };
    auto report = sync::synchronise(wanted, *tree, progress, stop_);
    report.durations.starting = std::exchange(starting_, 0);
    report.durations.finding = finding;
    return report;
  }

  UniqueFd target_of(const sync::WorkRule& rule) {
    if (order_.extent == sync::Extent::dry_run && !fs::exists(rule.to))
      return made_directory(scratch_ / "empty", 0700);
    return made_directory(rule.to, 0755);
  }

  /// Not each of a hundred thousand.
  void tell_progress(const Progress& far) {
    const auto at = std::chrono::steady_clock::now();
    if (far.step == told_ && at - told_at_ < std::chrono::milliseconds(100)) return;
    told_ = far.step;
    told_at_ = at;
    channel_.tell(far);
  }

  const sync::WorkOrder& order_;
  Channel& channel_;
  std::stop_token stop_;
  fs::path scratch_;
  double starting_ = 0;  ///< not yet told
  std::string told_;
  std::chrono::steady_clock::time_point told_at_;
};

}  // namespace

void carry_out(const sync::WorkOrder& order, Channel& channel, std::stop_token stop) {
  Work(order, channel, std::move(stop)).run();
}

}  // namespace satchel::worker
