// A folder inside a guest, as the settings name it. Pure values.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace satchel::sync {

/// Exactly one way of saying where `path` begins.
struct GuestPlace {
  enum class From {
    system,      ///< "/home/ann": by the guest's own table of filesystems
    drive,       ///< "C:/Users/Ann": by its drive letters
    filesystem,  ///< "vda/2:/ann": on a filesystem by name
  };
  From from = From::system;
  std::string drive;  ///< "C"
  /// "vda" (a whole disk), "vda/2" (a partition), "lvm/GROUP/VOLUME" or "uuid/UUID"
  std::string filesystem;
  std::string path;  ///< absolute, '/'-joined, no "." or "..", no '/' at its end but for "/"
  bool operator==(const GuestPlace&) const = default;
};

/// Reads one of the three forms.
Result<GuestPlace> parse_guest_place(std::string_view text);
/// As it is written in the settings.
std::string to_string(const GuestPlace& place);

/// A path like GuestPlace::path; empty when it is none.
std::string plain_absolute(std::string_view text);

}  // namespace satchel::sync
