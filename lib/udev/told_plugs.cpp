#include "udev/told_plugs.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace satchel {

bool ToldPlugs::is_stale(const Plug& plug) const {
  const auto known = present_.find(plug.node);
  // The kernel numbers insertions in rising order, so a lower number is about an earlier one: an
  // event that was still queued when we enumerated.
  return known != present_.end() && plug.disk_sequence != 0 &&
         plug.disk_sequence < known->second.disk_sequence;
}

void ToldPlugs::tell_present(Plug plug) {
  present_[plug.node] = Known{plug.sysfs, plug.disk_sequence};
  listener_.present(std::move(plug));
}

void ToldPlugs::tell_absent(std::string node) {
  if (present_.erase(node) != 0) listener_.absent(std::move(node));
}

void ToldPlugs::hear(News news) {
  if (news.plug.node.empty() || is_stale(news.plug)) return;
  if (!news.sysfs_before.empty()) {
    const auto moved = std::find_if(present_.begin(), present_.end(), [&](const auto& entry) {
      return entry.second.sysfs == news.sysfs_before && entry.first != news.plug.node;
    });
    if (moved != present_.end()) tell_absent(std::string(moved->first));
  }
  if (news.action == "remove" || news.tag == News::Tag::not_ours)
    tell_absent(std::move(news.plug.node));
  else
    tell_present(std::move(news.plug));
}

void ToldPlugs::hear_all(std::vector<News> all) {
  std::set<std::string> gone;
  for (const auto& [node, known] : present_) gone.insert(node);
  for (const auto& news : all)
    if (news.tag == News::Tag::ours) gone.erase(news.plug.node);
  for (const auto& node : gone) tell_absent(node);
  for (auto& news : all) hear(std::move(news));
}

}  // namespace satchel
