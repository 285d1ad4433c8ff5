#include "sync_command.hpp"

#include <grp.h>
#include <systemd/sd-daemon.h>

#include <array>

namespace satchel {

namespace fs = std::filesystem;

namespace {

// systemd/sandboxing.md explains what is not here.
constexpr std::array walls{
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "LockPersonality=yes",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictAddressFamilies=AF_UNIX",
    "PrivateNetwork=yes",
    "IPAddressDeny=any",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
    "KeyringMode=private",
    "PrivateTmp=yes",
    "ProtectSystem=strict",
    "DevicePolicy=closed",
    "DeviceAllow=/dev/kvm rw",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "MemoryMax=60%",
    "Nice=10",
    "IOSchedulingClass=best-effort",
    "IOSchedulingPriority=7",
    "TimeoutStopSec=15s",
};

/// What has to be writable for a folder to be made or written: itself, or what it will be in.
fs::path writable(const fs::path& folder) {
  std::error_code none;
  return fs::exists(folder, none) ? folder : folder.parent_path();
}

}  // namespace

Init init_here() { return ::sd_booted() > 0 ? Init::systemd : Init::other; }

std::vector<std::string> sync_command(Init init, const fs::path& worker, const std::string& owner,
                                      const std::vector<std::string>& folders) {
  if (init == Init::other) return {worker.string()};
  std::vector<std::string> out{"systemd-run",
                               "--quiet",
                               "--pipe",
                               "--wait",
                               "--collect",
                               "--service-type=exec",
                               "--description=Satchel: sync of " + owner};
  const auto property = [&](const std::string& text) { out.push_back("--property=" + text); };
  property("User=" + owner);
  property("StateDirectory=satchel/sync/" + owner);
  property("StateDirectoryMode=0700");
  property("CacheDirectory=satchel-sync/" + owner);
  property("CacheDirectoryMode=0700");
  for (const auto* wall : walls) property(wall);
  // Else QEMU emulates, which is slow and works.
  if (::getgrnam("kvm") != nullptr) property("SupplementaryGroups=kvm");
  for (const auto& folder : folders) {
    std::string quoted;
    for (const char c : writable(folder).string()) {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c;
      if (c == '%') quoted += '%';
    }
    property("ReadWritePaths=\"-" + quoted + "\"");
  }
  out.push_back("--");
  out.push_back(worker.string());
  return out;
}

fs::path worker_program() {
  return fs::read_symlink("/proc/self/exe").parent_path() / "satchel-sync";
}

}  // namespace satchel
