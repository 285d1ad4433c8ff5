// `doctor`: what this host needs, looked at one by one, each with what to do about it.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <exception>
#include <vector>

#include "base/fault.hpp"
#include "base/handle.hpp"
#include "runtime/findings.hpp"
#include "runtime/host.hpp"

namespace satchel {

namespace {

using Verdict = Finding::Verdict;

constexpr std::size_t probe_size = std::size_t{32} << 20;
constexpr std::size_t probe_piece = std::size_t{1} << 20;
constexpr const char* probe_name = ".satchel-speed";

struct Speeds {
  std::uint64_t write;  ///< bytes a second
  std::uint64_t read;
};

std::uint64_t rate(std::chrono::steady_clock::time_point since) {
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - since;
  return static_cast<std::uint64_t>(static_cast<double>(probe_size) / took.count());
}

/// Writes, syncs and reads back a file that is removed at once. Files lane.
Speeds measure_speed(int root, const std::string& node) {
  const UniqueFd file(
      ::openat(root, probe_name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) throw fault_from_errno(errno, "write a test file on", node);
  if (::unlinkat(root, probe_name, 0) != 0)
    throw fault_from_errno(errno, "remove the test file on", node);
  std::vector<std::byte> piece(probe_piece);
  for (std::size_t i = 0; i < piece.size(); ++i)
    piece[i] = static_cast<std::byte>(i * 2654435761U >> 13);
  const auto writing = std::chrono::steady_clock::now();
  for (std::size_t done = 0; done < probe_size; done += probe_piece)
    if (::write(file.get(), piece.data(), piece.size()) != static_cast<ssize_t>(piece.size()))
      throw fault_from_errno(errno, "write a test file on", node);
  if (::fdatasync(file.get()) != 0) throw fault_from_errno(errno, "write a test file on", node);
  Speeds speeds{rate(writing), 0};
  ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
  const auto reading = std::chrono::steady_clock::now();
  for (std::size_t done = 0; done < probe_size; done += probe_piece)
    if (::pread(file.get(), piece.data(), piece.size(), static_cast<off_t>(done)) !=
        static_cast<ssize_t>(piece.size()))
      throw fault_from_errno(errno, "read a test file on", node);
  speeds.read = rate(reading);
  return speeds;
}

}  // namespace

Task<std::vector<Finding>> Host::diagnose(Measure measure) {
  // It starts a guest: once at a time, whoever asks how often.
  if (diagnosing_)
    throw Fault(Remedy::retry, Fault::Text{"diagnose", "this host", "somebody just does", {}});
  diagnosing_ = true;
  std::vector<Finding> findings;
  std::exception_ptr failure;
  try {
    auto looking = look_around(measure);
    findings = co_await std::move(looking);
  } catch (...) {
    failure = std::current_exception();
  }
  diagnosing_ = false;
  if (failure) std::rethrow_exception(failure);
  co_return findings;
}

Task<std::vector<Finding>> Host::look_around(Measure measure) {
  std::vector<Finding> findings;
  auto asking_libvirt = libvirt_answers(parts_.hypervisor);
  auto libvirt = co_await std::move(asking_libvirt);
  findings.push_back(std::move(libvirt));
  if (!waiting_sessions_.empty())
    findings.push_back({"sessions", Verdict::bad,
                        "What became of " + waiting_sessions_ +
                            " here is not known while libvirt does not answer, and no device is "
                            "used until then.",
                        "See what is said of libvirt. It goes on by itself when libvirt is back."});
  auto asking_accelerator = kvm_works(parts_.hypervisor, parts_.lanes.files);
  auto accelerator = co_await std::move(asking_accelerator);
  findings.push_back(std::move(accelerator));
  auto asking_network = network_is_active(parts_.hypervisor, parts_.config);
  auto network = co_await std::move(asking_network);
  findings.push_back(std::move(network));
  auto asking_volumes = udisks_answers(parts_.volumes);
  auto volumes = co_await std::move(asking_volumes);
  findings.push_back(std::move(volumes));
  auto asking_authority = polkit_is_there(parts_.authority);
  auto authority = co_await std::move(asking_authority);
  findings.push_back(std::move(authority));
  auto looking = offload(parts_.lanes.files, [this] {
    return std::vector<Finding>{host_space(parts_), sync_worker(parts_), apparmor_refusals()};
  });
  auto looked = co_await std::move(looking);
  for (auto& finding : looked) findings.push_back(std::move(finding));
  auto dating = offload(parts_.lanes.files, time_of_program);
  const auto program = co_await std::move(dating);
  findings.push_back(clock_finding(parts_.now(), view(), program));
  if (measure == Measure::no) co_return findings;

  for (const auto& device : devices_.views()) {
    const auto check = "device " + device.node;
    const auto insertion = devices_.insertion_of(device.number);
    const auto stick = insertion ? devices_.stick(*insertion) : nullptr;
    if (!stick || !stick->is_open()) {
      findings.push_back({check, Verdict::unknown, "It is not mounted.", "Plug it in again."});
      continue;
    }
    try {
      auto measuring = offload(parts_.lanes.files, [stick, node = device.node] {
        return measure_speed(stick->root()->get(), node);
      });
      const auto speeds = co_await std::move(measuring);
      findings.push_back({check,
                          Verdict::good,
                          "It writes " + to_string(ByteCount(speeds.write)) + "/s and reads " +
                              to_string(ByteCount(speeds.read)) + "/s.",
                          {}});
    } catch (const Fault& failure) {
      findings.push_back({check, Verdict::bad, failure.what(), failure.next_step()});
    }
  }
  co_return findings;
}

}  // namespace satchel
