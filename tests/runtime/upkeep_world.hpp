// A machine that travelled some sessions, each of which left a layer with something in it on the
// device; and what its disk shows, read past all daemons.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/host_world.hpp"

namespace satchel::test {

/// The chain without layers.
inline const std::vector<std::string> merged = {"vda/image.qcow2", "vda/cow.qcow2"};

inline void two_layers_at_most(Config& config) { config.merge.layers = 2; }

/// At rest on a device that is in nobody's port; anvil packed it.
struct UpkeepWorld : HostWorld {
  DomainId guest;
  CapsuleId capsule;

  /// `adjust` sets both hosts' configuration; merges are not due by themselves unless it says so.
  /// No generation is kept beside the newest two unless it says so.
  explicit UpkeepWorld(
      int layers, std::function<void(Config&)> adjust = [](Config&) {});
  ~UpkeepWorld();

  std::string launch(TestHost& host);
  std::string eject(TestHost& host, Commands::Layers layers = Commands::Layers::leave);
  std::string merge(TestHost& host);
  std::string fold(TestHost& host);
  /// Fills one cluster of the session's overlay, as the guest would.
  void write(TestHost& host, int cluster, int pattern);
  /// The same with these bytes, 64 KiB.
  void write(TestHost& host, int cluster, const std::string& bytes);

  /// The whole disk as the newest generation's chain shows it, with every file of it checked.
  std::string content() const;
  /// The same for the generation in the other slot; none when that is not complete.
  std::optional<std::string> content_before() const;
  /// The same for all generations before the newest that are complete, by their numbers.
  std::map<std::uint64_t, std::string> older_contents() const;
  std::vector<std::string> chain() const { return head(capsule).disks.at(0).chain; }
  bool comes_to_no_layers(TestHost& host) const;
  std::vector<std::string> chain_in_journal(TestHost& host) const;

  static void run(const std::string& command);

 private:
  void write_as(TestHost& host, int cluster, const std::string& how);
  std::string read(const format::Head& head) const;
};

/// Running at anvil from three layers, in each of whose sessions the guest counted one.
struct RunningWorld : UpkeepWorld {
  std::string before;  ///< what the disk showed then
  explicit RunningWorld(std::function<void(Config&)> adjust = [](Config&) {});
  void check_that_nothing_is_lost();
  void check_that_it_ejects();
};

}  // namespace satchel::test
