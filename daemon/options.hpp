// satcheld's command line (satcheld(8)).
#pragma once

#include <filesystem>
#include <optional>

namespace satchel {

struct Options {
  enum class Do { serve, check_config } what = Do::serve;
  std::filesystem::path config;
};

/// The options, or the status to exit with: after --help, --version or a wrong option.
struct Parsed {
  std::optional<Options> options;
  int exit_status = 0;
};
Parsed parse_options(int argc, char** argv, const std::filesystem::path& default_config);

}  // namespace satchel
