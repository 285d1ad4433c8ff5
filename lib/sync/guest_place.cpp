#include "sync/guest_place.hpp"

#include <algorithm>
#include <vector>

namespace satchel::sync {

namespace {

// Below what Linux takes in one call, with room for what is put in front.
constexpr std::size_t longest = 3000;

constexpr std::string_view forms =
    "an absolute path as in /home/ann/Documents, C:/Users/Ann, vda/2:/ann, lvm/group/volume:/ann "
    "or uuid/UUID:/ann, without . and ..";

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= 128 && text != "." && text != ".." && text[0] != '-' &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.' || c == '+';
         });
}

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= 3 && text[0] != '0' &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::vector<std::string_view> parts_of(std::string_view text) {
  std::vector<std::string_view> out;
  for (;;) {
    const auto slash = text.find('/');
    out.push_back(text.substr(0, slash));
    if (slash == text.npos) return out;
    text.remove_prefix(slash + 1);
  }
}

bool is_filesystem(std::string_view text) {
  const auto parts = parts_of(text);
  if (!std::all_of(parts.begin(), parts.end(), is_word)) return false;
  if (parts[0] == "lvm") return parts.size() == 3;
  if (parts[0] == "uuid") return parts.size() == 2;
  return parts.size() == 1 || (parts.size() == 2 && is_number(parts[1]));
}

bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

}  // namespace

std::string plain_absolute(std::string_view text) {
  if (text == "/") return "/";
  if (text.size() < 2 || text.size() > longest || text[0] != '/') return {};
  while (text.size() > 1 && text.ends_with('/')) text.remove_suffix(1);
  for (const auto part : parts_of(text.substr(1)))
    if (part.empty() || part == "." || part == ".." || part.size() > 255 ||
        std::any_of(part.begin(), part.end(),
                    [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
      return {};
  return std::string(text);
}

Result<GuestPlace> parse_guest_place(std::string_view text) {
  GuestPlace out;
  std::string path(text);
  const auto colon = text.find(":/");
  if (text.size() > 2 && is_letter(text[0]) && text[1] == ':' &&
      (text[2] == '/' || text[2] == '\\')) {
    out.from = GuestPlace::From::drive;
    out.drive = static_cast<char>(text[0] & ~0x20);
    path = text.substr(2);
    std::replace(path.begin(), path.end(), '\\', '/');
  } else if (!text.starts_with('/') && colon != text.npos) {
    out.from = GuestPlace::From::filesystem;
    out.filesystem = text.substr(0, colon);
    path = text.substr(colon + 1);
    if (!is_filesystem(out.filesystem)) return mistake(std::string(text), std::string(forms));
  }
  out.path = plain_absolute(path);
  if (out.path.empty()) return mistake(std::string(text), std::string(forms));
  return out;
}

std::string to_string(const GuestPlace& place) {
  switch (place.from) {
    case GuestPlace::From::system:
      return place.path;
    case GuestPlace::From::drive:
      return place.drive + ":" + place.path;
    case GuestPlace::From::filesystem:
      return place.filesystem + ":" + place.path;
  }
  return place.path;
}

}  // namespace satchel::sync
