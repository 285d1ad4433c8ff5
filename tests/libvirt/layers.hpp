// A guest on a chain of lent files as a session has it: image, COW file, two layers, an overlay.
#pragma once

#include <string>
#include <vector>

#include "contract.hpp"

namespace satchel::test {

class LayeredGuest {
 public:
  explicit LayeredGuest(Subject subject);
  LayeredGuest(const LayeredGuest&) = delete;
  LayeredGuest& operator=(const LayeredGuest&) = delete;
  ~LayeredGuest();

  const TinyGuest& guest() const { return guest_; }
  void lend();  ///< for one start or restore of the defined guest
  void start();
  /// A commit between two files ("cow", "layer-3").
  LayerCommit commit(const std::string& base, const std::string& top) const;
  Task<void> merging(LayerCommit commit, std::stop_token stop = {});
  int looks() const { return looks_; }  ///< how often progress was told
  /// The chain as the live description shows it, topmost first: "overlay layer-3 layer-2 cow
  /// image".
  std::string chain() const;
  std::string file(const std::string& name) const { return directory_ + "/" + name + ".qcow2"; }
  /// A digest of what the file shows with all that its header names below it.
  std::string content(const std::string& name) const;

 private:
  void make(const std::string& name, const std::string& below, const std::string& commands);

  Subject subject_;
  TinyGuest guest_;
  std::string directory_;
  int looks_ = 0;
};

}  // namespace satchel::test
