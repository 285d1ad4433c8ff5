// A scratch directory that stands for a mounted device, and heads to commit to it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/handle.hpp"
#include "crypto/host_key.hpp"
#include "format/capsule_directory.hpp"

namespace satchel::format {

class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::filesystem::path& path() const { return path_; }
  int fd() const { return fd_.get(); }
  std::filesystem::path capsule(CapsuleId id) const { return path_ / "satchel" / id.value.str(); }

 private:
  std::filesystem::path path_;
  UniqueFd fd_;
};

std::string contents(const std::filesystem::path& file);
void overwrite(const std::filesystem::path& file, std::string_view bytes);
/// Every file below, with its size and digest: to see that nothing was written.
std::string listing(const std::filesystem::path& folder);

/// A key of its own for each name, the same in every call of a run.
const HostKey& host_key(const std::string& name = "a");
std::span<const std::byte> bytes_of(std::string_view text);

Object put(CapsuleDirectory& capsule, const std::string& path, std::string_view bytes);

/// A head without objects that continues `parent`, or begins.
Head next_head(CapsuleId id, const std::optional<SignedHead>& parent,
               const HostKey& key = host_key());
/// Gives the head a disk, memory and NVRAM out of these objects.
void fill(Head& head, std::vector<Object> objects);
/// A head with everything in it, objects that are nowhere.
Head rich_head();
/// Writes a layer and memory and commits the next generation, sharing image and COW file.
SignedHead commit_next(CapsuleDirectory& capsule, const std::optional<SignedHead>& parent,
                       std::string_view what);

}  // namespace satchel::format
