// What the runtime is made of: built once in daemon/, replaced part by part in tests. Everything
// here outlives every job. Loop thread, but for what says otherwise itself.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "async/lanes.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"
#include "config/config.hpp"
#include "crypto/host_key.hpp"
#include "ports/authority.hpp"
#include "ports/hypervisor.hpp"
#include "ports/plugs.hpp"
#include "ports/volumes.hpp"
#include "runtime/disk_cache.hpp"
#include "runtime/memory_cache.hpp"
#include "runtime/memory_ledger.hpp"
#include "runtime/memory_tags.hpp"
#include "runtime/meter.hpp"
#include "runtime/readers.hpp"
#include "runtime/sync_book.hpp"
#include "session/session_shelf.hpp"

namespace satchel {

struct Parts {
  boost::asio::any_io_executor loop;
  Lanes& lanes;
  Hypervisor& hypervisor;
  Volumes& volumes;
  Plugs& plugs;
  Authority& authority;
  Log& log;
  const HostKey& key;
  SessionShelf& shelf;
  Config config;
  std::string host_name;
  std::filesystem::path state_directory;
  std::filesystem::path runtime_directory;  ///< FIFOs, and sockets while they are connected
  std::function<UnixMicros()> now;
  std::shared_ptr<MemoryLedger> memory = std::make_shared<MemoryLedger>();
  /// The command that starts satchel-sync as this user, with write access to these folders.
  std::function<std::vector<std::string>(const std::string& owner,
                                         const std::vector<std::string>& folders)>
      sync_command{};
  std::filesystem::path sync_program{};  ///< satchel-sync itself
  std::shared_ptr<SyncBook> syncs = std::make_shared<SyncBook>();
  std::shared_ptr<Readers> readers = std::make_shared<Readers>();
  std::shared_ptr<MemoryCache> cache =
      std::make_shared<MemoryCache>(state_directory / "cache", config, log);
  std::shared_ptr<DiskCache> disks =
      std::make_shared<DiskCache>(state_directory / "disks", config, shelf, log);
  std::shared_ptr<MemoryTags> tags = std::make_shared<MemoryTags>();
  /// Before the save of a stranded guest that failed is tried again; twice as long each time.
  std::chrono::milliseconds pause_before_retry = std::chrono::minutes(1);
};

/// Threads that compress or decompress at once.
inline unsigned worker_threads(const Config& config) {
  const auto cores = std::max(1U, std::thread::hardware_concurrency());
  return config.compression.threads == 0 ? cores : config.compression.threads;
}

/// What a job gets besides its order. Copied into the coroutine.
struct JobContext {
  JobId id;
  std::stop_token stop;
  std::shared_ptr<Meter> meter;
};

}  // namespace satchel
