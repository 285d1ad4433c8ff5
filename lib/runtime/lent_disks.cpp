#include "runtime/lent_disks.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/fault.hpp"
#include "disk/chain_reader.hpp"
#include "runtime/chains.hpp"

namespace satchel {

namespace {

/// The files of the chains, and who reads them.
class LentDisks {
 public:
  LentDisks(const format::CapsuleDirectory& capsule, const format::Head& head,
            const std::filesystem::path& directory, std::stop_token stop) {
    std::vector<disk::ShownChain> chains;
    for (const auto& each : head.disks) {
      disk::ShownChain chain{each.target, {}};
      for (auto& file : open_chain(capsule, head, each)) {
        chain.files.push_back(file.get());
        files_.push_back(std::move(file));
      }
      targets_.push_back(each.target);
      chains.push_back(std::move(chain));
    }
    reader_.emplace(std::move(chains), directory.string(), std::move(stop));
  }

  void read(const std::string& target, std::uint64_t offset, std::span<std::byte> out) {
    const auto disk = std::ranges::find(targets_, target);
    if (disk == targets_.end())
      throw Fault(Remedy::other_device,
                  Fault::Text{"read the hibernation file",
                              "disk " + target,
                              "the memory has pages of it, and the machine has no such disk",
                              {}});
    reader_->read(static_cast<std::size_t>(disk - targets_.begin()), offset, out);
  }

 private:
  std::vector<UniqueFd> files_;
  std::vector<std::string> targets_;
  std::optional<disk::ChainReader> reader_;
};

}  // namespace

hibernation::DiskReader lent_disks(const format::CapsuleDirectory& capsule,
                                   const format::Head& head, const hibernation::PageMap& map,
                                   const std::filesystem::path& directory, std::stop_token stop) {
  if (!map.borrows()) return {};
  // Shared: a std::function is copied, files are not.
  const auto disks = std::make_shared<LentDisks>(capsule, head, directory, std::move(stop));
  return [disks](const std::string& target, std::uint64_t offset, std::span<std::byte> out) {
    disks->read(target, offset, out);
  };
}

}  // namespace satchel
