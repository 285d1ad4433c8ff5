#include "config/capsule_settings.hpp"

#include <charconv>

#include "config/quantity.hpp"
#include "config/sync_rules.hpp"

namespace satchel {

namespace {

std::optional<Home> parse_home(const std::string& text) {
  if (text == "true") return Home::yes;
  if (text == "false") return Home::no;
  return std::nullopt;
}

std::optional<Privacy> parse_privacy(const std::string& text) {
  if (text == "true") return Privacy::kept;
  if (text == "false") return Privacy::none;
  return std::nullopt;
}

CapsuleSettings read_capsule(Section& capsule, SyncTargets& targets) {
  CapsuleSettings out;
  CowLimit limit;
  if (capsule.scalar("cow_limit", limit, cow_limit_expected, parse_cow_limit))
    out.cow_limit = limit;
  Home home{};
  if (capsule.scalar("home", home, "true or false", parse_home)) out.home = home;
  capsule.scalar("private", out.privacy, "true or false", parse_privacy);
  read_sync(capsule, out, targets);
  capsule.refuse_others();
  return out;
}

}  // namespace

std::optional<CowLimit> parse_cow_limit(const std::string& text) {
  if (!text.ends_with('%')) {
    const auto size = parse_size(text);
    return size ? std::optional(CowLimit{CowLimit::Of::bytes, size->value}) : std::nullopt;
  }
  unsigned percent = 0;
  const auto* end = text.data() + text.size() - 1;
  const auto [stop, error] = std::from_chars(text.data(), end, percent);
  if (error != std::errc() || stop != end || percent > 100) return std::nullopt;
  return CowLimit{CowLimit::Of::images, percent};
}

void read_capsules(Section& capsules, std::map<CapsuleId, CapsuleSettings>& out) {
  SyncTargets targets;
  capsules.sections("a capsule's UUID", [&](const std::string& key, Section& capsule) {
    const auto id = Uuid::parse(key);
    if (!id || id->is_nil()) return false;
    out[CapsuleId(*id)] = read_capsule(capsule, targets);
    return true;
  });
}

}  // namespace satchel
