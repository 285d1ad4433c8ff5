#include "sync/path.hpp"

#include <algorithm>

#include "base/ids.hpp"

namespace satchel::sync {
namespace {

constexpr std::string_view temporary_front = ".satchel-sync-";
constexpr std::string_view temporary_back = ".part";
constexpr std::size_t temporary_digits = 32;

/// Takes the first component off the path.
std::string_view take_component(std::string_view& path) {
  const std::size_t slash = path.find('/');
  const std::string_view name = path.substr(0, slash);
  path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  return name;
}

}  // namespace

bool TreeOrder::operator()(std::string_view a, std::string_view b) const {
  const auto [x, y] = std::ranges::mismatch(a, b);
  if (y == b.end()) return false;
  if (x == a.end()) return true;
  if (*x == '/' || *y == '/') return *x == '/';
  return static_cast<unsigned char>(*x) < static_cast<unsigned char>(*y);
}

std::string_view parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view name_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string joined(std::string_view directory, std::string_view name) {
  std::string out(directory);
  if (!out.empty()) out += '/';
  out += name;
  return out;
}

bool is_below(std::string_view path, std::string_view directory) {
  if (directory.empty()) return !path.empty();
  return path.size() > directory.size() && path[directory.size()] == '/' &&
         path.starts_with(directory);
}

std::size_t depth_of(std::string_view path) {
  return path.empty() ? 0 : 1 + static_cast<std::size_t>(std::ranges::count(path, '/'));
}

std::optional<std::string> refusal_of_path(std::string_view path) {
  if (path.empty() || path.front() == '/' || path.back() == '/') return "it is no relative path";
  if (path.find('\0') != std::string_view::npos) return "there is a zero byte in its name";
  if (path == trash_name) return "its name is that of the folder for what was deleted";
  std::string_view rest = path;
  while (!rest.empty()) {
    const std::string_view name = take_component(rest);
    if (name.empty() || name == "." || name == "..") return "it is no plain path";
    if (name.size() > longest_name) return "its name is longer than 255 bytes";
    if (is_temporary(name)) return "its name is that of a file which is being written";
  }
  return std::nullopt;
}

bool stays_inside(std::string_view path, std::string_view target) {
  if (target.empty() || target.front() == '/') return false;
  if (target.find('\0') != std::string_view::npos) return false;
  std::size_t up = 0;
  bool has_gone_down = false;
  while (!target.empty()) {
    const std::string_view name = take_component(target);
    if (name.empty() || name == ".") continue;
    // Behind a name that may itself be a link, ".." is not the folder that it seems to be.
    if (name == ".." && has_gone_down) return false;
    if (name == "..") ++up;
    has_gone_down = has_gone_down || name != "..";
  }
  return up < depth_of(path);
}

bool is_temporary(std::string_view name) {
  if (name.size() != temporary_front.size() + temporary_digits + temporary_back.size())
    return false;
  return name.starts_with(temporary_front) && name.ends_with(temporary_back);
}

std::string temporary_name() {
  std::string digits = Uuid::random().str();
  std::erase(digits, '-');
  return std::string(temporary_front) + digits + std::string(temporary_back);
}

}  // namespace satchel::sync
