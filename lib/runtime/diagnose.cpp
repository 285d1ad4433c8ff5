// `doctor`: what this host needs, looked at one by one, each with what to do about it.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <exception>
#include <vector>

#include "async/process.hpp"
#include "base/fault.hpp"
#include "base/handle.hpp"
#include "runtime/host.hpp"
#include "runtime/host_room.hpp"

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

/// The finding of something that answers or throws.
Task<Finding> ask(std::string check, Task<std::string> question) {
  try {
    auto answer = co_await std::move(question);
    Finding good{check, Verdict::good, std::move(answer), {}};
    co_return good;
  } catch (const Fault& failure) {
    Finding bad{check, Verdict::bad, failure.what(), failure.next_step()};
    co_return bad;
  }
}

Task<std::string> libvirt_answers(Hypervisor& hypervisor) {
  auto listing = hypervisor.domains();
  const auto domains = co_await std::move(listing);
  auto asking = hypervisor.ability(Accelerator::tcg);
  const auto host = co_await std::move(asking);
  co_return "libvirt answers at " + host.uri + " and knows " + std::to_string(domains.size()) +
      (domains.size() == 1 ? " machine." : " machines.");
}

Task<std::string> udisks_answers(Volumes& volumes) {
  auto listing = volumes.all();
  const auto all = co_await std::move(listing);
  co_return "UDisks2 answers and knows " + std::to_string(all.size()) +
      (all.size() == 1 ? " block device." : " block devices.");
}

Task<Finding> kvm(Hypervisor& hypervisor) {
  std::string why;
  try {
    auto probing = hypervisor.works(Accelerator::kvm);
    if (co_await std::move(probing)) {
      Finding good{"kvm", Verdict::good, "A guest starts with KVM.", {}};
      co_return good;
    }
    why = ::access("/dev/kvm", F_OK) == 0 ? "/dev/kvm is there, but a guest does not start with it."
                                          : "This computer has no /dev/kvm.";
  } catch (const Fault& failure) {
    why = failure.what();
  }
  Finding slow{"kvm", Verdict::warning, why,
               "Machines run under emulation, which is slow. Enable virtualisation in the firmware "
               "setup, or nested virtualisation where this computer is itself a guest."};
  co_return slow;
}

Task<Finding> polkit(Authority& authority) {
  auto asking = authority.is_there();
  if (co_await std::move(asking)) {
    Finding good{"polkit", Verdict::good, "polkit is there: users may be allowed to act.", {}};
    co_return good;
  }
  Finding absent{"polkit", Verdict::warning, "polkit is not on the system bus.",
                 "Only root can launch and eject. Install polkitd to let users do so."};
  co_return absent;
}

/// The worker links libguestfs, which a computer may lack.
Finding sync_worker(const Parts& parts) {
  std::string why = "this build has none";
  if (!parts.sync_program.empty()) {
    try {
      ProcessRun run;
      run.arguments = {parts.sync_program.string(), "--version"};
      const auto end = run_process(run);
      if (end.exit_status == 0)
        return {"sync", Verdict::good, "Files can be synced: satchel-sync starts.", {}};
      why = end.errors;
    } catch (const Fault& failure) {
      why = failure.what();
    }
  }
  return {"sync", Verdict::warning, "satchel-sync does not start: " + why,
          "Install libguestfs0 where files are to be synced; everything else works without."};
}

Finding host_space(const Parts& parts) {
  ByteCount free;
  try {
    free = free_space(parts.state_directory);
  } catch (const Fault& failure) {
    return {"host space", Verdict::bad, failure.what(),
            "Make sure the directory exists (systemd makes it when the service starts)."};
  }
  const auto found = parts.state_directory.string() + " has " + to_string(free) + " free.";
  if (free < parts.config.space.keep_free_host)
    return {"host space", Verdict::bad, found,
            "Free some space: a session keeps what the machine writes there."};
  return {"host space", Verdict::good, found, {}};
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
  auto first = ask("libvirt", libvirt_answers(parts_.hypervisor));
  auto first_found = co_await std::move(first);
  findings.push_back(std::move(first_found));
  auto second = kvm(parts_.hypervisor);
  auto second_found = co_await std::move(second);
  findings.push_back(std::move(second_found));
  auto third = ask("udisks2", udisks_answers(parts_.volumes));
  auto third_found = co_await std::move(third);
  findings.push_back(std::move(third_found));
  auto fourth = polkit(parts_.authority);
  auto fourth_found = co_await std::move(fourth);
  findings.push_back(std::move(fourth_found));
  auto looking = offload(parts_.lanes.files, [this] { return host_space(parts_); });
  auto looking_found = co_await std::move(looking);
  findings.push_back(std::move(looking_found));
  auto trying = offload(parts_.lanes.files, [this] { return sync_worker(parts_); });
  auto trying_found = co_await std::move(trying);
  findings.push_back(std::move(trying_found));
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
