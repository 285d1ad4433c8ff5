#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <system_error>

#include "config/config.hpp"

namespace satchel {

Result<Config> load_config(const std::filesystem::path& file) {
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    if (errno == ENOENT) return Config{};
    return mistake(file.string(), "cannot be opened: " + std::generic_category().message(errno));
  }
  const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (stream.bad()) return mistake(file.string(), "cannot be read");
  return parse_config(text, file.string());
}

}  // namespace satchel
