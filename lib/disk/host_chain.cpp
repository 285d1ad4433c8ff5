#include "disk/host_chain.hpp"

#include <fcntl.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "base/handle.hpp"
#include "base/host_fault.hpp"
#include "disk/qcow2.hpp"

namespace satchel::disk {

namespace {

constexpr std::size_t longest_chain = 64;

Qcow2Header header_of(const SourceFile& file) {
  const UniqueFd fd(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw host_fault_from_errno(errno, "open the disk file", file.path);
  auto header = read_qcow2(fd.get());
  if (!header)
    throw Fault(Remedy::fix_config,
                Fault::Text{"read the disk file", file.path, to_string(header.error()), {}});
  return std::move(*header);
}

}  // namespace

std::vector<SourceFile> host_chain(SourceFile top) {
  std::vector<SourceFile> chain{std::move(top)};
  while (chain.back().format == "qcow2") {
    const auto header = header_of(chain.back());
    if (!header.backing_name) break;
    if (!header.backing_format)
      throw Fault(Remedy::fix_config,
                  Fault::Text{"read the disk file", chain.back().path,
                              "it does not say what format its backing file has",
                              "Record it with: qemu-img rebase -u -b " + *header.backing_name +
                                  " -F FORMAT " + chain.back().path});
    if (chain.size() == longest_chain)
      throw Fault(
          Remedy::fix_config,
          Fault::Text{"follow the backing files of", chain.front().path, "there are too many", {}});
    // A relative name is relative to the file that has it.
    const auto path = std::filesystem::path(chain.back().path).parent_path() / *header.backing_name;
    chain.push_back({path.string(), *header.backing_format});
  }
  return chain;
}

}  // namespace satchel::disk
