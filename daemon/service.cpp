#include "service.hpp"

#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <exception>
#include <filesystem>
#include <utility>

#include "base/fault.hpp"
#include "runtime/messages.hpp"
#include "service_manager.hpp"
#include "sync_command.hpp"

namespace satchel {

namespace asio = boost::asio;

namespace {

constexpr const char* bus_name = "org.satchel.Satchel1";

std::string host_name(const Config& config) {
  if (!config.host_name.empty()) return config.host_name;
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0)
    throw fault_from_errno(errno, "find", "this computer's name");
  return name;
}

/// "auto" is the system's libvirt where there is one, else the driver inside this process. One that
/// is stopped, or whose sockets are masked, is there: its guests are not the other's.
std::string libvirt_uri(const Config& config, const Places& places) {
  if (config.libvirt.uri != "auto") return config.libvirt.uri;
  for (const char* sign :
       {"/run/libvirt/libvirt-sock", "/run/libvirt/virtqemud-sock",
        "/usr/lib/systemd/system/libvirtd.service", "/usr/lib/systemd/system/virtqemud.service",
        "/lib/systemd/system/libvirtd.service", "/lib/systemd/system/virtqemud.service"})
    if (std::filesystem::exists(sign)) return "qemu:///system";
  return "qemu:///embed?root=" + (places.state / "libvirt").string();
}

UnixMicros now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return UnixMicros(static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(since).count()));
}

}  // namespace

Service::Service(Places places, Config config, Log& log)
    : places_(std::move(places)),
      log_(log),
      signals_(io_, SIGTERM, SIGINT),
      key_(HostKey::load_or_create(places_.state / "host.key")),
      shelf_(places_.state),
      bus_(io_.get_executor(), BusListener{[this](std::string why) {
                                             log_.error("the system bus is gone: " + why);
                                             asio::co_spawn(io_, give_up(), asio::detached);
                                           },
                                           [this](std::string what) { log_.warning(what); }}),
      authority_(bus_,
                 [this](std::uint32_t user, const Undertaking& wanted, auto answer) {
                   log_.write(answer == PolkitAuthority::Answer::allowed
                                  ? request_line(user, wanted)
                                  : refused_line(user, wanted));
                 }),
      volumes_(bus_),
      plugs_(io_.get_executor(), mebibytes(16), take_udev_socket()),
      hypervisor_(libvirt_uri(config, places_), io_.get_executor(), lanes_),
      parts_{io_.get_executor(),
             lanes_,
             hypervisor_,
             volumes_,
             plugs_,
             authority_,
             log_,
             key_,
             shelf_,
             config,
             host_name(config),
             places_.state,
             places_.runtime,
             [] { return now(); }},
      host_(parts_, SATCHEL_VERSION),
      sleep_(bus_, log_,
             {[this] { sleep_begins(); }, [this] { log_.info("the computer is awake again"); }}) {
  parts_.sync_program = worker_program();
  parts_.sync_command = [init = init_here(), worker = worker_program()](
                            const std::string& owner, const std::vector<std::string>& folders) {
    return sync_command(init, worker, owner, folders);
  };
}

int Service::run() {
  // libvirt's embedded driver and our FIFOs write to pipes whose readers may be gone.
  ::signal(SIGPIPE, SIG_IGN);
  signals_.async_wait([this](boost::system::error_code failed, int) {
    if (!failed) asio::co_spawn(io_, stop(), asio::detached);
  });
  asio::co_spawn(io_, start(), [this](std::exception_ptr failure) {
    if (!failure) return;
    try {
      std::rethrow_exception(failure);
    } catch (const Fault& fault) {
      log_.error(std::string(fault.what()) + ". " + fault.next_step());
    } catch (const std::exception& other) {
      log_.error(other.what());
    }
    asio::co_spawn(io_, give_up(), asio::detached);
  });
  io_.run();
  return status_;
}

Task<void> Service::start() {
  faces_.emplace(bus_, host_, authority_);
  // Who asks meanwhile is told what is waited for.
  auto looking = host_.has_to_wait();
  const bool waits = co_await std::move(looking);
  if (waits) {
    auto coming = come_up();
    co_await std::move(coming);
    notify_status("Waits for libvirt, which does not answer: see 'satchelctl doctor'.");
    auto waiting = host_.wait_for_libvirt();
    co_await std::move(waiting);
  }
  auto starting = host_.start();
  co_await std::move(starting);
  if (!waits) {
    auto coming = come_up();
    co_await std::move(coming);
  }
  const auto& uri = host_.view().hypervisor;
  log_.info("satcheld " SATCHEL_VERSION " serves as " + parts_.host_name + " (" +
            host_.view().fingerprint + "); " +
            (uri.empty() ? "libvirt is not there yet" : "machines run at " + uri));
  host_.tell_saving([this](const std::string& reason) { sleep_.hold_off(reason); });
  host_.tell_status([](const std::string& status) { notify_status(status); });
  // What a job had allocated in small pieces is free now, between pieces that stay: malloc gives
  // none of it back to the system by itself.
  host_.tell_rest([this] { asio::post(lanes_.files.pool(), [] { ::malloc_trim(0); }); });
}

Task<void> Service::come_up() {
  auto naming = bus_.request_name(bus_name);
  co_await std::move(naming);
  feed_watchdog(io_.get_executor());
  notify_ready();
}

void Service::sleep_begins() {
  std::string sessions;
  for (const auto& capsule : host_.view().capsules)
    if (!capsule.domain.empty()) sessions += (sessions.empty() ? "" : ", ") + capsule.name;
  log_.info("the computer goes to sleep" +
            (sessions.empty() ? std::string() : " with " + sessions + " not ejected"));
}

Task<void> Service::stop() {
  notify_stopping();
  log_.info("stopping; running guests go on");
  auto settling = host_.settle();
  co_await std::move(settling);
  end(0);
}

Task<void> Service::give_up() {
  auto settling = host_.settle();
  co_await std::move(settling);
  end(1);
}

Service::~Service() {
  // What still runs on a lane uses the parts.
  for (Lane* lane : {&lanes_.quick, &lanes_.slow, &lanes_.files}) lane->pool().join();
}

void Service::end(int status) {
  status_ = status;
  faces_.reset();
  io_.stop();
}

}  // namespace satchel
