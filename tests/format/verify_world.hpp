// A capsule with every kind of file in it, of three generations, of which the last two are kept;
// and what verify() has to say of a damaged file, worked out from the heads alone.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fault.hpp"
#include "format/sample.hpp"

namespace satchel::format {

struct VerifyWorld {
  VerifyWorld();

  CapsuleDirectory open() const { return CapsuleDirectory::open(stick.fd(), id); }
  Verification verify() const { return open().verify({}, {}); }
  std::filesystem::path at(std::string_view path) const { return folder / path; }
  /// Every file, relative, but for the log.
  std::vector<std::string> files() const;
  /// The kept generations that need it, newest first: of slots and heads those they belong to.
  std::vector<Sequence> needed_by(const std::string& path) const;
  /// The next generation, with a new layer, memory and NVRAM; `edit` may change it.
  SignedHead commit(CapsuleDirectory& capsule, const std::optional<SignedHead>& parent,
                    const std::string& what,
                    const std::function<void(std::vector<Object>&)>& edit = {}) const;

  Scratch stick;
  CapsuleId id{Uuid::random()};
  std::filesystem::path folder = stick.capsule(id);
  SignedHead second, third;
};

Flaw only_flaw(const Verification& found);
/// That file alone is flawed, and each generation that needs it.
void expect_named(const VerifyWorld& world, const Verification& found, const std::string& path);
Fault fault_of(const std::function<void()>& act);

void flip(const std::filesystem::path& file, std::size_t byte, int bit = 3);

}  // namespace satchel::format
