// What this host knows, as the bus shows it: plain values that the runtime keeps and the bus faces
// read. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"

namespace satchel {

/// A device's place on the bus: "device/3". Numbers are not used again while the daemon runs.
using DeviceNumber = Tagged<struct DeviceNumberTag, std::uint32_t>;

struct DeviceView {
  DeviceNumber number;
  std::string node;
  std::string label;
  std::string fs_type;
  std::string fs_uuid;
  std::string model;
  std::string mount_point;  ///< empty while not mounted
  ByteCount size;
  ByteCount free;
  bool encrypted = false;
  bool removable = false;
  bool read_only = false;
  bool can_unplug = true;
  std::string detail;             ///< what is to be known of it; mostly empty
  std::uint64_t write_speed = 0;  ///< bytes a second as last measured by a commit; 0 not known
  std::uint64_t read_speed = 0;   ///< the same for launches
  bool operator==(const DeviceView&) const = default;
};

struct GenerationView {
  Sequence seq;
  GenerationId id;
  std::string host_name;
  UnixMicros time;
  std::string what;
  bool restorable = false;  ///< a rollback can go back to it
  bool operator==(const GenerationView&) const = default;
};

/// How the last sync ended.
struct SyncView {
  UnixMicros time;  ///< 0: there was none
  Sequence generation;
  std::string message;
  bool operator==(const SyncView&) const = default;
};

struct CapsuleView {
  CapsuleId id;
  std::string name;
  std::string state;      ///< a state's name as in docs/STATES.md
  std::string detail;     ///< one sentence for people; may be empty
  std::string next_step;  ///< what to do, one sentence; may be empty
  bool can_unplug = true;
  std::optional<DeviceNumber> device;  ///< while it is plugged in
  std::optional<JobId> job;            ///< while one runs on it
  std::string domain;                  ///< libvirt's name while a session exists here
  Sequence generation;                 ///< the newest on the device, 0 when none is known
  GenerationId generation_id;
  std::string last_host;
  UnixMicros last_time;
  std::string checked_out_by;  ///< host name, empty when checked in
  bool has_memory = false;     ///< the newest generation resumes; otherwise it boots
  ByteCount memory_size;
  ByteCount hibernation_size;  ///< bytes on the device
  ByteCount image_size;        ///< of all disks' image files
  ByteCount cow_size;          ///< of all disks' COW files
  ByteCount layers_size;
  std::uint32_t layers = 0;
  ByteCount cow_limit;           ///< 0 while there is none
  std::vector<std::string> due;  ///< "merge", "fold", "compact"
  SyncView last_sync;
  std::vector<GenerationView> history;  ///< newest last
  bool operator==(const CapsuleView&) const = default;
};

struct JobView {
  JobId id;
  std::string
      operation;     ///< "pack", "launch", "eject", "merge", "fold", "sync", "verify", "format"
  std::string step;  ///< gerund: "writing memory"
  std::optional<CapsuleId> capsule;
  std::optional<DeviceNumber> device;
  ByteCount done;
  ByteCount total;                 ///< 0 when not known
  std::uint64_t rate = 0;          ///< bytes a second over the last seconds
  std::uint64_t remaining_us = 0;  ///< 0 when not known
  double progress = 0;             ///< 0 to 1 over the whole job, never falling
  bool operator==(const JobView&) const = default;
};

struct JobEnd {
  JobId id;
  /// "done", "cancelled", or a D-Bus error name as bus_error_name() gives it.
  std::string result;
  /// When done, what is to be known of it, a line each, mostly nothing; else reason and next step.
  std::string message;
};

struct HostView {
  std::string version;
  std::string host_id;
  std::string host_name;
  std::string fingerprint;
  std::string hypervisor;      ///< libvirt's URI, empty while there is no connection
  std::string detail;          ///< what keeps all of it from working, a sentence; mostly empty
  std::uint32_t sessions = 0;  ///< that run now
  std::uint32_t jobs = 0;
  std::vector<DeviceView> devices;
  std::vector<CapsuleView> capsules;
  std::vector<JobView> running_jobs;
};

/// Told of every change, once a turn of the loop, by whoever keeps the HostView.
struct ViewListener {
  std::function<void()> changed;  ///< compare with what was shown before
  std::function<void(const JobEnd&)> job_ended;
};

}  // namespace satchel
