#include "daemon/bus/bus_faces.hpp"

#include <algorithm>

namespace satchel {

using namespace faces;

namespace {

template <class Face, class Key, class View>
void show_one(std::map<Key, std::unique_ptr<Face>>& faces, Bus& bus, Requests& requests, Key key,
              const View& view) {
  auto& face = faces[key];
  if (face)
    face->show(view);
  else
    face = std::make_unique<Face>(bus, requests, view);
}

template <class Face, class Key, class Views, class KeyOf>
void drop_missing(std::map<Key, std::unique_ptr<Face>>& faces, const Views& views, KeyOf key_of) {
  std::erase_if(faces, [&](const auto& entry) {
    return std::none_of(views.begin(), views.end(),
                        [&](const auto& view) { return std::invoke(key_of, view) == entry.first; });
  });
}

}  // namespace

BusFaces::BusFaces(Bus& bus, Commands& commands, Authority& authority)
    : bus_(bus),
      commands_(commands),
      requests_(commands, authority, [this] { refresh(); }),
      manager_(bus, requests_, HostFacts(commands.view())) {
  refresh();
  commands_.listen({[this] { refresh(); }, [this](const JobEnd& end) { end_job(end); }});
}

BusFaces::~BusFaces() {
  commands_.listen({[] {}, [](const JobEnd&) {}});
}

void BusFaces::refresh() {
  // What a lost bus means is its listener's concern; the machines go on without being shown.
  if (!bus_.open()) return;
  const auto& view = commands_.view();
  manager_.show(HostFacts(view));
  for (const auto& each : view.devices)
    show_one(devices_, bus_, requests_, each.number, DeviceWithCapsules(each, view.capsules));
  for (const auto& each : view.capsules) show_one(capsules_, bus_, requests_, each.id, each);
  for (const auto& each : view.running_jobs)
    if (!ended_.contains(each.id)) show_one(jobs_, bus_, requests_, each.id, each);
  drop_missing(capsules_, view.capsules, &CapsuleView::id);
  drop_missing(devices_, view.devices, &DeviceView::number);
  std::erase_if(ended_, [&](JobId job) {
    return std::none_of(view.running_jobs.begin(), view.running_jobs.end(),
                        [&](const JobView& each) { return each.id == job; });
  });
}

void BusFaces::end_job(const JobEnd& end) {
  if (!bus_.open()) return;
  ended_.insert(end.id);
  // Whoever waits for the end finds everything as the job has left it.
  refresh();
  flush_changes(bus_);
  manager_.job_removed(end);
  jobs_.erase(end.id);
}

}  // namespace satchel
