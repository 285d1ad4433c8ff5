// The guest's lines to the serial port, and whether anything was ever found wrong.
#pragma once

#include <unistd.h>

#include <string>

inline int serial = -1;
inline std::string broken;  // empty, or why all later lines say BROKEN

inline void say(const std::string& line) {
  const std::string whole = line + "\n";
  for (std::size_t at = 0; at < whole.size();) {
    const ssize_t n = write(serial, whole.data() + at, whole.size() - at);
    if (n > 0) at += static_cast<std::size_t>(n);
  }
}

inline void broke(const std::string& why) {
  if (broken.empty()) broken = why;
}
