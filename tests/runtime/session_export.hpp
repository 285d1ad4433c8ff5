// Asks for what a computer has of a machine, as plain files.
#pragma once

#include <fcntl.h>

#include <filesystem>

#include "runtime/commands.hpp"

namespace satchel::test {

/// Into this directory, which is made where it is not there.
inline ExportRequest export_of_session(CapsuleId capsule, const std::filesystem::path& to) {
  std::filesystem::create_directory(to);
  ExportRequest out;
  out.capsule = capsule;
  out.directory.reset(::open(to.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  out.of = ExportRequest::Of::session;
  return out;
}

}  // namespace satchel::test
