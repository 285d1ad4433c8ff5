#include "osinfo/systems.hpp"

#include <gio/gio.h>

// Its headers do not say that they are C; GLib's, which are above, may not be told.
extern "C" {
#include <osinfo/osinfo.h>
}

#include <algorithm>
#include <utility>

#include "base/fault.hpp"

namespace satchel::osinfo {

namespace {

struct Unref {
  void operator()(void* object) const { g_object_unref(object); }
};
template <class T>
using Owned = std::unique_ptr<T, Unref>;

struct FreeError {
  void operator()(GError* error) const { g_error_free(error); }
};

/// Calls back for each element, which the list owns.
template <class T, class List, class Visit>
void each(List* list, Visit visit) {
  if (list == nullptr) return;
  const Owned<List> owner(list);
  const auto count = osinfo_list_get_length(OSINFO_LIST(list));
  for (gint i = 0; i < count; ++i)
    visit(reinterpret_cast<T*>(osinfo_list_get_nth(OSINFO_LIST(list), i)));
}

std::string text(const gchar* value) { return value == nullptr ? std::string() : value; }

std::vector<std::string> ids_of(OsinfoOs* os) {
  std::vector<std::string> out;
  GList* ids = osinfo_entity_get_param_value_list(OSINFO_ENTITY(os), OSINFO_PRODUCT_PROP_SHORT_ID);
  for (GList* at = ids; at != nullptr; at = at->next)
    out.push_back(text(static_cast<const gchar*>(at->data)));
  g_list_free(ids);
  return out;
}

/// Devices with drivers of the system's own, less those that a later release lost.
std::set<std::string> devices_of(OsinfoOs* os) {
  std::set<std::string> out, lost;
  each<OsinfoDeviceLink>(osinfo_os_get_all_device_links(os, nullptr), [&](OsinfoDeviceLink* link) {
    auto* device = osinfo_devicelink_get_target(link);  // the link's
    if (device == nullptr) return;
    auto name = text(osinfo_device_get_name(device));
    const bool supported = osinfo_entity_get_param_value_boolean_with_default(
                               OSINFO_ENTITY(link), OSINFO_DEVICELINK_PROP_SUPPORTED, TRUE) != 0;
    (supported ? out : lost).insert(std::move(name));
  });
  for (const auto& name : lost) out.erase(name);
  return out;
}

/// Applies to this computer's architecture.
bool is_ours(OsinfoResources* resources) {
  const auto architecture = text(osinfo_resources_get_architecture(resources));
  return architecture == "x86_64" || architecture == "all";
}

void note_resources(OsinfoResourcesList* list, System& system, bool least) {
  each<OsinfoResources>(list, [&](OsinfoResources* resources) {
    if (!is_ours(resources)) return;
    const auto ram = osinfo_resources_get_ram(resources);
    const auto storage = osinfo_resources_get_storage(resources);
    const auto cpus = osinfo_resources_get_n_cpus(resources);
    if (ram > 0) system.memory = ByteCount(static_cast<std::uint64_t>(ram));
    if (ram > 0 && least) system.least_memory = system.memory;
    if (storage > 0) system.storage = ByteCount(static_cast<std::uint64_t>(storage));
    if (cpus > 0) system.cpus = static_cast<std::uint64_t>(cpus);
  });
}

/// How many letters have to change to make one of the other (Levenshtein).
std::size_t distance(const std::string& one, const std::string& other) {
  std::vector<std::size_t> row(other.size() + 1);
  for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= one.size(); ++i) {
    auto diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j < row.size(); ++j) {
      const auto replaced = diagonal + (one[i - 1] == other[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

struct Systems::Data {
  Owned<OsinfoLoader> loader;
  OsinfoDb* db;  ///< the loader's

  template <class Visit>
  void each_os(Visit visit) const {
    each<OsinfoOs>(osinfo_db_get_os_list(db), visit);
  }
};

Systems::Systems() : data_(new Data{Owned<OsinfoLoader>(osinfo_loader_new()), nullptr}) {
  GError* error = nullptr;
  osinfo_loader_process_default_path(data_->loader.get(), &error);
  const std::unique_ptr<GError, FreeError> failed(error);
  data_->db = osinfo_loader_get_db(data_->loader.get());
  bool any = false;
  data_->each_os([&](OsinfoOs*) { any = true; });
  if (failed || !any)
    throw Fault(Remedy::ask_admin,
                Fault::Text{"read", "the data on operating systems",
                            failed ? failed->message : "there are none on this computer",
                            "Install the package osinfo-db, or leave out --os."});
}

Systems::~Systems() = default;

std::optional<System> Systems::find(const std::string& id) const {
  std::optional<System> out;
  data_->each_os([&](OsinfoOs* os) {
    const auto ids = ids_of(os);
    if (out || std::find(ids.begin(), ids.end(), id) == ids.end()) return;
    auto& system = out.emplace();
    system.id = ids.front();
    system.name = text(osinfo_product_get_name(OSINFO_PRODUCT(os)));
    system.family = text(osinfo_os_get_family(os));
    note_resources(osinfo_os_get_minimum_resources(os), system, true);
    note_resources(osinfo_os_get_recommended_resources(os), system, false);
    system.devices = devices_of(os);
  });
  return out;
}

std::vector<Systems::Entry> Systems::all() const {
  std::vector<Entry> out;
  data_->each_os([&](OsinfoOs* os) {
    if (const auto ids = ids_of(os); !ids.empty())
      out.push_back({ids.front(), text(osinfo_product_get_name(OSINFO_PRODUCT(os)))});
  });
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return out;
}

std::vector<std::string> Systems::near(const std::string& id) const {
  std::vector<std::pair<std::size_t, std::string>> found;
  data_->each_os([&](OsinfoOs* os) {
    for (auto& each : ids_of(os)) {
      const auto letters = distance(id, each);
      if (letters <= std::max<std::size_t>(2, id.size() / 3))
        found.emplace_back(letters, std::move(each));
    }
  });
  std::sort(found.begin(), found.end());
  std::vector<std::string> out;
  for (auto& [letters, each] : found)
    if (out.size() < 5) out.push_back(std::move(each));
  return out;
}

std::optional<std::string> Systems::on_medium(const std::string& path) const {
  GError* error = nullptr;
  const Owned<OsinfoMedia> medium(osinfo_media_create_from_location(path.c_str(), nullptr, &error));
  const std::unique_ptr<GError, FreeError> failed(error);
  if (!medium || osinfo_db_identify_media(data_->db, medium.get()) == 0) return std::nullopt;
  const Owned<OsinfoOs> os(osinfo_media_get_os(medium.get()));
  if (!os) return std::nullopt;
  const auto ids = ids_of(os.get());
  if (ids.empty()) return std::nullopt;
  return ids.front();
}

}  // namespace satchel::osinfo
