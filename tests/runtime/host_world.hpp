// Whole hosts on fakes: real format, session, hibernation, machine and qemu-img, a directory as
// each device, a hypervisor whose guests are counters. A test runs the loop until something is
// true.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "fakes/fake_hypervisor.hpp"
#include "fakes/fake_plugs.hpp"
#include "fakes/fake_volumes.hpp"
#include "format/capsule_directory.hpp"
#include "runtime/host.hpp"

namespace satchel::test {

/// Runs the loop until the condition holds; false after the deadline.
class TestLoop {
 public:
  boost::asio::io_context io;
  bool until(const std::function<bool()>& condition,
             std::chrono::seconds deadline = std::chrono::seconds(30));
  /// Runs what is due now, and what that makes due.
  void settle();

 private:
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io.get_executor()};
};

class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class KeptLog : public Log {
 public:
  void write(const LogLine& line) override;
  bool says(const std::string& text) const;
  long times(const std::string& text) const;
  std::string all() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

class OpenAuthority : public Authority {
 public:
  Task<bool> allows(std::string, Undertaking, Interaction) override { co_return true; }
  Task<bool> is_there() override { co_return true; }
};

/// One computer: its disk, key and libvirt stay when its daemon is started anew.
class TestHost {
 public:
  TestHost(TestLoop& loop, std::filesystem::path home, std::string name,
           std::filesystem::path devices);
  TestHost(const TestHost&) = delete;
  TestHost& operator=(const TestHost&) = delete;

  void start();
  /// Ends the daemon as a clean stop does; guests go on.
  void stop();

  // What a test does.

  /// A machine with raw disks of 1 MiB, vda and so on, defined in libvirt.
  DomainId machine(const std::string& name, int disks = 1);
  void run_machine(DomainId id);
  std::string fs_type = "ext4";  ///< of devices that are plugged in
  std::string drive;             ///< that they are on
  std::string mounted_on;        ///< where somebody has them mounted already
  bool internal = false;         ///< they are this computer's own
  void plug(const std::string& node = "/dev/fake1", const std::string& fs_uuid = "0000-0001");
  /// Without waiting for what comes of it.
  void plug_only(const std::string& node = "/dev/fake1", const std::string& fs_uuid = "0000-0001");
  void pull(const std::string& node = "/dev/fake1");
  /// Of that device, from now on.
  void kernel_counts(std::uint64_t completed, std::uint64_t in_flight,
                     const std::string& node = "/dev/fake1");

  /// Waits for the job's end.
  JobEnd end_of(JobId job);
  /// Waits for the end of the job that the function begins.
  std::string result(const std::function<JobId()>& begin);
  /// Packs onto the only device; gives the capsule.
  CapsuleId pack(const std::string& machine);
  bool reaches(CapsuleId capsule, const std::string& state);
  bool until(const std::function<bool()>& condition) { return loop_.until(condition); }
  void wait_for_jobs();

  // What a test sees.

  Host& host() { return *host_; }
  std::optional<CapsuleView> capsule(CapsuleId id) const;
  std::string state(CapsuleId id) const;
  std::string detail(CapsuleId id) const;
  DeviceNumber device() const { return host_->view().devices.at(0).number; }
  std::optional<DomainEntry> guest(DomainId id);
  std::uint64_t counter(DomainId id) const { return hypervisor.counter(id); }
  std::vector<JobEnd> ends;
  /// Sentences about what must never be: a falling progress, a job ended twice, a device said to be
  /// free while a job writes.
  std::vector<std::string> breaches;
  bool has_session(CapsuleId id) const;
  /// Whether the device's memory is being read beside the machine.
  bool is_checking(CapsuleId id) const { return parts_->readers->is_doing("check", id); }
  std::filesystem::path session_directory(CapsuleId id) const;

  template <class T>
  T await(Task<T> task) {
    std::exception_ptr failure;
    bool ended = false;
    std::conditional_t<std::is_void_v<T>, std::optional<int>, std::optional<T>> value;
    if constexpr (std::is_void_v<T>)
      boost::asio::co_spawn(loop_.io, std::move(task), [&](std::exception_ptr error) {
        failure = error;
        ended = true;
      });
    else
      boost::asio::co_spawn(loop_.io, std::move(task), [&](std::exception_ptr error, T result) {
        failure = error;
        if (!error) value = std::move(result);
        ended = true;
      });
    if (!loop_.until([&] { return ended; })) throw std::runtime_error("a task never ended");
    if (failure) std::rethrow_exception(failure);
    if constexpr (!std::is_void_v<T>) return std::move(*value);
  }

 private:
  void watch();
  void await_plugged(const std::string& node);
  std::filesystem::path sysfs_of(const std::string& node) const;

  TestLoop& loop_;
  std::filesystem::path home_;
  std::filesystem::path devices_;
  Lanes lanes_;
  KeptLog log_;
  HostKey key_;
  SessionShelf shelf_;
  OpenAuthority authority_;

 public:
  FakeHypervisor hypervisor;
  fakes::FakeVolumes volumes;
  fakes::FakePlugs plugs;
  Config config;
  std::vector<std::string> sync_worker;  ///< the command; none: there is no worker
  std::chrono::milliseconds pause_before_retry = std::chrono::minutes(1);
  KeptLog& log = log_;

 private:
  std::string name_;
  std::map<JobId, double> progress_;
  std::unique_ptr<Parts> parts_;
  std::unique_ptr<Host> host_;
  std::vector<std::pair<std::unique_ptr<Parts>, std::unique_ptr<Host>>> former_;
};

/// Two computers and one device between them.
struct HostWorld {
  HostWorld();
  ~HostWorld();
  HostWorld(const HostWorld&) = delete;
  HostWorld& operator=(const HostWorld&) = delete;
  Scratch scratch;
  TestLoop loop;
  TestHost anvil;
  TestHost bellows;

  /// Root of the device's filesystem.
  std::filesystem::path device(const std::string& node = "/dev/fake1") const;
  std::filesystem::path on_device(CapsuleId capsule) const;
  /// The newest complete generation, read past all daemons.
  format::Head head(CapsuleId capsule) const;
  format::Examination examine(CapsuleId capsule) const;
};

}  // namespace satchel::test
