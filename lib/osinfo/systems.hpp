// What libosinfo's data say of operating systems: what they need and which devices they drive by
// themselves. Read from the host's files when it is made (about a second); one thread at a time,
// any thread. For satchelctl: the daemon is told devices, not systems.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ids.hpp"

namespace satchel::osinfo {

struct System {
  std::string id;      ///< "debian11"
  std::string name;    ///< "Debian 11", for people
  std::string family;  ///< "linux", "winnt", "freebsd", …
  /// What is recommended, else what is needed at least; none where the data don't say.
  std::optional<ByteCount> memory, storage;
  std::optional<ByteCount> least_memory;
  std::optional<std::uint64_t> cpus;
  std::set<std::string> devices;  ///< libosinfo's names: "virtio1.0-block", "e1000e"
};

class Systems {
 public:
  /// Throws Fault when there are no data (package osinfo-db).
  Systems();
  Systems(const Systems&) = delete;
  Systems& operator=(const Systems&) = delete;
  ~Systems();

  /// By any of its short ids.
  std::optional<System> find(const std::string& id) const;

  struct Entry {
    std::string id, name;
  };
  /// All, in order of their ids.
  std::vector<Entry> all() const;
  /// Up to five ids that somebody who wrote `id` may have meant, the likeliest first.
  std::vector<std::string> near(const std::string& id) const;
  /// The system that an installation medium (an ISO image) is for, as its labels say.
  std::optional<std::string> on_medium(const std::string& path) const;

 private:
  struct Data;
  std::unique_ptr<Data> data_;
};

}  // namespace satchel::osinfo
