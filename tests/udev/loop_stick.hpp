// A stick for tests: an image file in $WORLD that the kernel shows as a loop device and udevd
// announces. Only in the private world (tests/world/enter). Blocking; for tests' threads.
#pragma once

#include <string>

namespace satchel::tests {

/// Runs a shell command; its standard output without the last newline. A failing command fails the
/// test.
std::string shell(const std::string& command);

class LoopStick {
 public:
  /// A new, formatted, unplugged stick. `fs_type` "ext4", or empty for no filesystem.
  explicit LoopStick(std::string label, std::string fs_type = "ext4");
  ~LoopStick();
  LoopStick(const LoopStick&) = delete;
  LoopStick& operator=(const LoopStick&) = delete;

  /// Attaches it, with `options` of losetup; gives the node.
  std::string plug(const std::string& options = "");
  /// Detaches it; when the node is in use, as soon as it is not.
  void unplug();
  const std::string& node() const { return node_; }
  const std::string& image() const { return image_; }

 private:
  std::string image_;
  std::string node_;
};

/// Makes the kernel announce the device once more.
void announce_change(const std::string& node);

}  // namespace satchel::tests
