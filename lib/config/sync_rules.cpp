#include "config/sync_rules.hpp"

#include <pwd.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "sync/guest_place.hpp"

namespace satchel {

namespace {

std::optional<std::string> guest_place(const std::string& text) {
  return sync::parse_guest_place(text) ? std::optional(text) : std::nullopt;
}

bool overlap(const std::string& a, const std::string& b) {
  const auto& [inner, outer] = a.size() < b.size() ? std::pair(b, a) : std::pair(a, b);
  return inner == outer || inner.starts_with(outer + "/");
}

std::optional<std::string> ordinary_user(const std::string& name) {
  const auto* user = ::getpwnam(name.c_str());
  return user != nullptr && user->pw_uid != 0 ? std::optional(name) : std::nullopt;
}

std::optional<unsigned> days(const std::string& text) {
  unsigned value = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || value < 1 || value > 3650) return std::nullopt;
  return value;
}

std::optional<OnReturn> on_return(const std::string& text) {
  if (text == "true") return OnReturn::sync;
  if (text == "false") return OnReturn::nothing;
  return std::nullopt;
}

}  // namespace

void read_sync(Section& capsule, CapsuleSettings& out, SyncTargets& targets) {
  capsule.items("sync", "a list of {guest: …, to: …, owner: …}", [&](Section& rule) {
    SyncRule read;
    rule.scalar("guest", read.guest,
                "a folder of the machine as in /home/ann/Documents, C:/Users/Ann or vda/2:/ann",
                guest_place);
    rule.scalar(
        "to", read.to,
        "an absolute path without . and .., which is not in another rule's 'to' nor around it",
        [&](const std::string& text) -> std::optional<std::string> {
          auto path = sync::plain_absolute(text);
          if (path.size() < 2 ||
              std::any_of(targets.begin(), targets.end(),
                          [&](const auto& other) { return overlap(path, other); }))
            return std::nullopt;
          targets.push_back(path);
          return path;
        });
    rule.scalar("owner", read.owner, "a user of this computer, and not root", ordinary_user);
    rule.scalar("trash_days", read.trash_days, "a whole number from 1 to 3650", days);
    for (const auto* key : {"guest", "to", "owner"}) rule.demand(key);
    rule.refuse_others();
    out.sync.push_back(std::move(read));
  });
  capsule.scalar("sync_on_return", out.on_return, "true or false", on_return);
}

}  // namespace satchel
