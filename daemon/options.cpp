#include "options.hpp"

#include <CLI/CLI.hpp>
#include <string>

namespace satchel {

Parsed parse_options(int argc, char** argv, const std::filesystem::path& default_config) {
  CLI::App app("Lets virtual machines travel on USB sticks between this computer and others.",
               "satcheld");
  std::string config = default_config.string();
  bool check = false;
  app.add_option("--config", config, "Configuration file")
      ->capture_default_str()
      ->check(CLI::ExistingFile);  // the default one need not exist
  app.add_flag("--check-config", check,
               "Check the configuration file, say what is wrong, and exit");
  app.set_version_flag("--version", "satcheld " SATCHEL_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& end) {
    return Parsed{std::nullopt, app.exit(end) == 0 ? 0 : 2};
  }
  return Parsed{Options{check ? Options::Do::check_config : Options::Do::serve, config}, 0};
}

}  // namespace satchel
