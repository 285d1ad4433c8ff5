#include "runtime/findings.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include "async/process.hpp"
#include "base/fault.hpp"
#include "runtime/host_room.hpp"
#include "runtime/jobs/preflight.hpp"

namespace satchel {

namespace {

using Verdict = Finding::Verdict;

/// The finding of something that answers or throws. mend: what to do when it does not answer; none:
/// what the error says.
Task<Finding> ask(std::string check, Task<std::string> question, std::string mend = {}) {
  try {
    auto answer = co_await std::move(question);
    Finding good{check, Verdict::good, std::move(answer), {}};
    co_return good;
  } catch (const Fault& failure) {
    Finding bad{check, Verdict::bad, failure.what(), mend.empty() ? failure.next_step() : mend};
    co_return bad;
  }
}

Task<std::string> ask_libvirt(Hypervisor& hypervisor) {
  auto listing = hypervisor.domains();
  const auto domains = co_await std::move(listing);
  auto asking = hypervisor.ability(Accelerator::tcg);
  const auto host = co_await std::move(asking);
  co_return "libvirt answers at " + host.uri + " and knows " + std::to_string(domains.size()) +
      (domains.size() == 1 ? " machine." : " machines.");
}

Task<std::string> ask_udisks(Volumes& volumes) {
  auto listing = volumes.all();
  const auto all = co_await std::move(listing);
  co_return "UDisks2 answers and knows " + std::to_string(all.size()) +
      (all.size() == 1 ? " block device." : " block devices.");
}

/// The virtual machine that this computer is, as systemd names it ("kvm", "vmware"); empty when it
/// is none or that is not known.
std::string virtual_machine() {
  try {
    ProcessRun run;
    run.arguments = {"systemd-detect-virt", "--vm"};
    auto end = run_process(run);
    if (end.exit_status != 0) return {};
    while (!end.output.empty() && end.output.back() == '\n') end.output.pop_back();
    return end.output;
  } catch (const Fault&) {
    return {};  // no systemd: nobody to ask
  }
}

/// The value of key="value" in a line of the kernel's audit.
std::string field(std::string_view line, std::string_view key) {
  const auto begin = line.find(" " + std::string(key) + "=\"");
  if (begin == line.npos) return {};
  const auto from = begin + key.size() + 3;
  const auto end = line.find('"', from);
  return std::string(line.substr(from, end == line.npos ? end : end - from));
}

std::string date_and_time(UnixMicros instant) {
  const auto seconds = static_cast<std::time_t>(instant.value / 1'000'000);
  std::tm parts{};
  std::array<char, 32> text{};
  if (::gmtime_r(&seconds, &parts) == nullptr ||
      std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M UTC", &parts) == 0)
    return "a time without a date";
  return text.data();
}

}  // namespace

Task<Finding> libvirt_answers(Hypervisor& hypervisor) {
  auto asking = ask("libvirt", ask_libvirt(hypervisor));
  auto found = co_await std::move(asking);
  co_return found;
}

Task<Finding> udisks_answers(Volumes& volumes) {
  auto asking = ask("udisks2", ask_udisks(volumes),
                    "Start UDisks2, which mounts devices: systemctl start udisks2.");
  auto found = co_await std::move(asking);
  co_return found;
}

Task<Finding> kvm_works(Hypervisor& hypervisor, Lane& files) {
  auto detecting = offload(files, virtual_machine);
  const auto machine = co_await std::move(detecting);
  const auto itself = machine.empty()
                          ? std::string()
                          : " This computer is itself a virtual machine (" + machine + ").";
  std::string why;
  try {
    auto probing = hypervisor.works(Accelerator::kvm);
    if (co_await std::move(probing)) {
      Finding good{"kvm", Verdict::good, "A guest starts with KVM." + itself, {}};
      co_return good;
    }
    why = ::access("/dev/kvm", F_OK) == 0 ? "/dev/kvm is there, but a guest does not start with it."
                                          : "This computer has no /dev/kvm.";
  } catch (const Fault& failure) {
    why = failure.what();
  }
  Finding slow{
      "kvm", Verdict::warning, why + itself,
      machine.empty()
          ? "Machines run under emulation, which is slow. Enable virtualisation "
            "(VT-x, AMD-V) in the firmware's setup."
          : "Machines run under emulation, which is slow. Enable nested virtualisation for this "
            "computer on the one that it runs on."};
  co_return slow;
}

Task<Finding> polkit_is_there(Authority& authority) {
  auto asking = authority.is_there();
  if (co_await std::move(asking)) {
    Finding good{"polkit", Verdict::good, "polkit is there: users may be allowed to act.", {}};
    co_return good;
  }
  Finding absent{"polkit", Verdict::warning, "polkit is not on the system bus.",
                 "Only root can launch and eject. Install polkitd to let users do so."};
  co_return absent;
}

Task<Finding> network_is_active(Hypervisor& hypervisor, const Config& config) {
  const auto& network = config.networks.fallback;
  HostAbility host;
  std::string failed;
  try {
    auto asking = hypervisor.ability(Accelerator::tcg);
    host = co_await std::move(asking);
  } catch (const Fault& failure) {
    failed = failure.what();
  }
  Finding found{"network", Verdict::good, "libvirt's network " + network + " is active.", {}};
  if (!failed.empty())
    found = {"network", Verdict::unknown, failed, "See what is said of libvirt."};
  else if (host.uri.starts_with("qemu:///embed"))
    found.found =
        "libvirt's embedded driver has no networks: cards get what networks.otherwise says.";
  else if (std::ranges::find(host.networks, network) == host.networks.end())
    found = {"network", Verdict::warning,
             "libvirt's network " + network +
                 " (networks.default) is not active: a machine that resumes may find its network "
                 "card unplugged.",
             start_network(network)};
  co_return found;
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
      why = end.errors.substr(0, end.errors.find('\n'));
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

Finding apparmor_refusals() {
  try {
    ProcessRun run;
    // Kernel lines, or the audit's own where auditd takes them.
    run.arguments = {
        "journalctl",
        "--quiet",
        "--boot",
        "--no-pager",
        "--output=cat",
        "--lines=1000",
        "--reverse",
        "--grep=apparmor=\"DENIED\".* profile=\"(libvirt-|virt-aa-helper|libvirtd|virtqemud)",
        "_TRANSPORT=kernel",
        "+",
        "_TRANSPORT=audit"};
    const auto end = run_process(run);
    // Nothing found is status 1, without a word.
    if (end.exit_status == 0 || (end.exit_status == 1 && end.errors.empty()))
      return apparmor_finding(end.output);
    return {"apparmor", Verdict::unknown, "The journal can't be read: " + end.errors,
            "See for yourself: journalctl --boot --grep DENIED."};
  } catch (const Fault& failure) {
    return {"apparmor", Verdict::unknown, failure.what(), failure.next_step()};
  }
}

Finding apparmor_finding(std::string_view lines) {
  std::size_t refusals = 0;
  std::string_view last;
  while (!lines.empty()) {
    const auto line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
    if (line.find("apparmor=\"DENIED\"") == line.npos) continue;
    if (++refusals == 1) last = line;
  }
  if (refusals == 0)
    return {"apparmor", Verdict::good, "AppArmor has refused nothing to a machine since boot.", {}};
  const auto name = field(last, "name");
  return {"apparmor", Verdict::warning,
          "AppArmor has refused " + std::to_string(refusals) +
              (refusals == 1 ? " access" : " accesses") +
              " of machines since boot, the last: " + field(last, "operation") +
              (name.empty() ? "" : " of " + name) + " by " + field(last, "profile") + ".",
          "When a machine fails by it, allow it in /etc/apparmor.d/local/abstractions/libvirt-qemu "
          "and start "
          "the machine again; journalctl --boot --grep DENIED shows all."};
}

UnixMicros time_of_program() {
  struct stat about {};
  if (::stat("/proc/self/exe", &about) != 0) return UnixMicros(0);
  const auto& made = about.st_mtim;
  return UnixMicros(static_cast<std::uint64_t>(made.tv_sec) * 1'000'000 +
                    static_cast<std::uint64_t>(made.tv_nsec) / 1000);
}

Finding clock_finding(UnixMicros now, const HostView& view, UnixMicros program) {
  constexpr std::uint64_t tolerance =
      10U * 60 * 1'000'000;  // clocks that nobody sets differ by minutes
  const CapsuleView* newest = nullptr;
  for (const auto& capsule : view.capsules)
    if (!newest || newest->last_time < capsule.last_time) newest = &capsule;
  auto found = "This computer's clock says " + date_and_time(now);
  const auto is_ahead = [&](UnixMicros time) { return time.value > now.value + tolerance; };
  if (newest && is_ahead(newest->last_time))
    found += ", but " + newest->name + " was written at " + date_and_time(newest->last_time) +
             " by " + newest->last_host + ".";
  else if (is_ahead(program))
    found += ", but satcheld itself was made at " + date_and_time(program) + ".";
  else
    return {"clock", Verdict::good, found + ".", {}};
  return {"clock", Verdict::warning, found,
          "Set the clock of whichever is wrong: timedatectl set-ntp true, or timedatectl set-time. "
          "Nothing is lost by it, but "
          "times that you are shown mislead."};
}

}  // namespace satchel
