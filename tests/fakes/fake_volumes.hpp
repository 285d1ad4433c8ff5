// A storage service for tests: volumes whose content is a directory each, with the real one's
// promises. Everything happens at once; what shall fail is said before. Loop thread only.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/fault.hpp"
#include "ports/volumes.hpp"

namespace satchel::fakes {

class FakeVolumes : public Volumes {
 public:
  /// Volumes are mounted as directories below `root`, which must exist.
  explicit FakeVolumes(std::filesystem::path root) : root_(std::move(root)) {}

  Task<std::optional<Volume>> find(std::string node) override;
  Task<std::vector<Volume>> all() override;
  Task<std::string> mount(std::string node) override;
  Task<void> unmount(std::string node) override;
  Task<bool> power_off(std::string node) override;
  Task<UniqueFd> open(std::string node) override;
  Task<void> format(std::string node, std::string fs_type, std::string label) override;
  void listen(std::function<void(RemovalRequest)> on_request) override;

  enum class Power { can_switch_off, cannot };
  /// Plugs a volume in. Its content stays when it is taken out and added again.
  void add(Volume volume, Power power = Power::cannot);
  /// Pulls it out, mounted or not.
  void pull(const std::string& node);
  /// Somebody keeps a file open on it, or no longer: unmounting is refused meanwhile.
  void set_busy(const std::string& node, int open_files) {
    volumes_.at(node).open_files = open_files;
  }
  /// A person clicks "safely remove"; gives whether the volume was unmounted.
  bool ask_removal(const std::string& node, std::string operation = "filesystem-unmount");
  /// The next call of that name ("mount", "unmount", "power_off", "format", "find") throws this.
  void fail_next(std::string call, Fault fault) {
    failures_.insert_or_assign(std::move(call), fault);
  }

  /// Where the volume's content is, mounted or not.
  std::filesystem::path content(const std::string& node) const;
  /// What was done, in order: "mount /dev/fake1".
  const std::vector<std::string>& done() const { return done_; }

 private:
  struct Entry {
    Volume volume;
    Power power = Power::cannot;
    int open_files = 0;
  };

  void begin(const std::string& call);
  Entry& plugged(const std::string& doing, const std::string& node);

  std::filesystem::path root_;
  std::map<std::string, Entry> volumes_;
  std::map<std::string, Fault> failures_;
  std::vector<std::string> done_;
  std::function<void(RemovalRequest)> on_request_;
};

}  // namespace satchel::fakes
