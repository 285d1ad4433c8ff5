// The part of verify() that reads objects: each file once, compared with all heads that name it.
// Inside lib/format only. One thread at a time; blocks.
#pragma once

#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.hpp"
#include "format/capsule_state.hpp"
#include "format/verification.hpp"

namespace satchel::format {

/// A generation that is kept: what a slot leads to, or one of history whose head is there.
struct KeptHead {
  Sequence seq;
  std::optional<Head> head;  ///< none: it can't be read
};

/// Why a file can't be had, as a clause: "is missing", "can't be read behind byte 4096: …". Throws
/// Fault for errors of this computer, and when the whole device reads no more.
std::string clause_of(const CapsuleDirectory::State& capsule, int error, const std::string& path,
                      std::optional<std::uint64_t> at = {});

class VerifyFiles {
 public:
  VerifyFiles(const CapsuleDirectory::State& capsule, ProgressSink progress, std::stop_token stop);

  /// Reads what these name and was not read before. Throws Fault: stopped, or the device is gone.
  void read(const std::vector<KeptHead>& kept);
  /// What is wrong with the objects that these name, all of which were read.
  std::vector<Flaw> flaws(const std::vector<KeptHead>& kept) const;

  std::size_t files() const { return seen_.size(); }
  ByteCount bytes() const { return ByteCount(done_); }

 private:
  /// What a file turned out to be.
  struct Seen {
    std::optional<std::string> wrong;  ///< it can't be read
    std::uint64_t size = 0;
    std::map<std::uint64_t, Digest> digests;  ///< of its first bytes, by their number
  };
  void measure(const std::string& path, const std::vector<std::uint64_t>& sizes);
  void read_one(const std::string& path, const std::vector<std::uint64_t>& sizes);
  /// `changing`: the merge or fold that was cut short and may have changed it; or empty.
  std::optional<Flaw> flaw_of(const Object& object, const std::string& changing) const;

  const CapsuleDirectory::State& capsule_;
  ProgressSink progress_;
  std::stop_token stop_;
  std::map<std::string, Seen> seen_;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace satchel::format
