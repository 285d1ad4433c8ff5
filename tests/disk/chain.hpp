// Chains of qcow2 files as they are on a device, with random content, and what they show.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "disk/files.hpp"
#include "disk/merge.hpp"

namespace satchel {

/// image.qcow2, cow.qcow2 and layers, in one directory, each naming its neighbour.
class Chain {
 public:
  static constexpr std::uint64_t size = 32 << 20;

  Chain(const Files& files, unsigned seed, std::size_t layers) : files_(files), random_(seed) {
    add("image.qcow2");
    add("cow.qcow2");
    for (std::size_t i = 0; i < layers; ++i) add("layer-" + std::to_string(i + 2) + ".qcow2");
  }

  const std::vector<std::string>& names() const { return names_; }

  /// What the file shows with all that its header names below it.
  std::string content(const std::string& name) const {
    files_.run("qemu-img convert -f qcow2 -O raw " + name + " content");
    return files_.run("b2sum content | cut -d ' ' -f 1");
  }

  /// Neither damaged nor with anything that nothing refers to.
  bool is_clean() const { return each_checks(false); }
  /// Not damaged. Clusters that were taken and not used are what a kill may leave.
  bool is_sound() const { return each_checks(true); }

  std::uint64_t allocated(const std::string& name) const {
    return std::stoull(files_.run("stat -c %b " + name)) * 512;
  }

  /// Opens the files for one merge; only the base can be written to.
  class Opened {
   public:
    Opened(const Chain& chain, std::size_t base, std::size_t top) {
      merge.base = base;
      merge.top = top;
      for (std::size_t i = 0; i < chain.names_.size(); ++i) {
        fds_.emplace_back(::open(chain.files_.path(chain.names_[i]).c_str(),
                                 (i == base ? O_RDWR : O_RDONLY) | O_CLOEXEC));
        REQUIRE(fds_.back());
        merge.files.push_back(fds_.back().get());
      }
    }
    disk::ChainMerge merge;

   private:
    std::vector<UniqueFd> fds_;
  };

 private:
  void add(const std::string& name) {
    const auto below = names_.empty() ? "" : "-b " + names_.back() + " -F qcow2 ";
    files_.run("qemu-img create -q -f qcow2 " + below + name + " " + std::to_string(size));
    names_.push_back(name);
    std::string commands;
    for (int i = 0; i < 24; ++i) commands += " -c '" + command() + "'";
    files_.run("qemu-io -f qcow2 -d unmap" + commands + " " + name);
  }

  std::string command() {
    const bool aligned = random_() % 3 != 0;
    const std::uint64_t unit = aligned ? 65536 : 512;
    const auto length = unit * (1 + random_() % (aligned ? 24 : 700));
    const auto at = unit * (random_() % ((size - length) / unit));
    const auto place = " " + std::to_string(at) + " " + std::to_string(length);
    switch (random_() % 6) {
      case 0:
        return "write -q -z" + place;
      case 1:
        return "discard -q" + place;
      default:
        return "write -q -P " + std::to_string(1 + random_() % 255) + place;
    }
  }

  bool each_checks(bool leaks_allowed) const {
    const std::string allowed = leaks_allowed ? "|| test $? -eq 3" : "";
    return std::all_of(names_.begin(), names_.end(), [&](const auto& name) {
      ProcessRun run;
      run.arguments = {"sh", "-c",
                       "cd " + files_.path("") + " && { qemu-img check -q -f qcow2 " + name + " " +
                           allowed + "; }"};
      return run_process(run).exit_status == 0;
    });
  }

  const Files& files_;
  std::mt19937 random_;
  std::vector<std::string> names_;
};

}  // namespace satchel
