// A directory of the user's that an export fills or an import reads: opened here, as the user, so
// that only its descriptor is passed. Throws Refusal.
#pragma once

#include <string>

#include "base/handle.hpp"

namespace satchel::cli {

/// Made when it is not there, and then removed again unless it is kept.
class UserDirectory {
 public:
  enum class Missing { is_made, is_refused };
  UserDirectory(const std::string& path, Missing missing);
  UserDirectory(const UserDirectory&) = delete;
  UserDirectory& operator=(const UserDirectory&) = delete;
  ~UserDirectory();

  const UniqueFd& fd() const { return fd_; }
  /// Absolute, without links.
  const std::string& full_path() const { return full_path_; }
  void keep() { made_ = false; }

 private:
  std::string path_;
  std::string full_path_;
  UniqueFd fd_;
  bool made_ = false;
};

/// What to do with an export that is in there now, a sentence or two.
std::string how_to_go_on(const UserDirectory& exported);

}  // namespace satchel::cli
