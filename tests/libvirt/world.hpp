// What the tests of hypervisors share: a loop that is run until something is true or a deadline has
// passed, a temporary directory, and the embedded QEMU driver over it (one per process).
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <future>
#include <stdexcept>
#include <string>

#include "async/lanes.hpp"
#include "libvirt/hypervisor.hpp"

namespace satchel::test {

/// The loop thread is the test's own, inside run() and until().
class Loop {
 public:
  boost::asio::io_context io;
  Lanes lanes;

  /// Runs the loop until the condition holds; false after the deadline.
  template <class F>
  bool until(F condition, std::chrono::seconds deadline = std::chrono::seconds(60)) {
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      io.run_one_for(std::chrono::milliseconds(20));
    }
    return true;
  }

  template <class T>
  std::future<T> begin(Task<T> task) {
    return boost::asio::co_spawn(io, std::move(task), boost::asio::use_future);
  }

  template <class T>
  static bool done(std::future<T>& future) {
    return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }

  template <class T>
  T finish(std::future<T> future) {
    if (!until([&] { return done(future); }))
      throw std::runtime_error("a task did not end within its deadline");
    return future.get();
  }

  template <class T>
  T run(Task<T> task) {
    return finish(begin(std::move(task)));
  }

 private:
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io.get_executor()};
};

/// A directory with a short name under /tmp, removed with all in it at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// The embedded driver with real QEMU guests under TCG; ends all of its guests at the end.
class EmbeddedWorld : public Loop {
 public:
  /// The one of this process: libvirt allows one root.
  static EmbeddedWorld& instance();
  ~EmbeddedWorld();

  TemporaryDirectory directory;
  std::vector<GuestEvent> events;
  LibvirtHypervisor hypervisor;

  bool heard(DomainId id, GuestEvent::What what) const;
  std::string path(const std::string& name) const { return directory.path() + "/" + name; }

 private:
  EmbeddedWorld();
};

std::string read_whole(const std::string& path);
void write_whole(const std::string& path, const std::string& content);

}  // namespace satchel::test
