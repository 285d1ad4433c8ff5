// The guest's tree as a plain directory of this computer. Blocking; one thread.
#pragma once

#include <string>

#include "base/handle.hpp"
#include "sync/guest_tree.hpp"

namespace satchel {

class PlainTree : public sync::GuestTree {
 public:
  explicit PlainTree(std::string root) : root_(std::move(root)) {}
  void list(const sync::EntrySink& to, std::stop_token stop) override;
  void read(std::span<const std::string> paths, sync::ContentSink& to,
            std::stop_token stop) override;

 private:
  std::string root_;
};

}  // namespace satchel
