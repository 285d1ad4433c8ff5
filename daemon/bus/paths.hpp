// Object paths of the bus and the things they stand for, both ways; and how the views' types are
// written on the bus. Pure; usable from any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bus/values.hpp"
#include "runtime/view.hpp"

namespace satchel::faces {

inline constexpr auto root_path = "/org/satchel/Satchel1";
inline constexpr auto bus_name = "org.satchel.Satchel1";

std::string path_of(DeviceNumber device);  ///< "/org/satchel/Satchel1/device/3"
std::string path_of(CapsuleId capsule);    ///< "…/capsule/UUID", dashes as underscores
std::string path_of(JobId job);            ///< "…/job/7"

std::optional<DeviceNumber> parse_device(const ObjectPath& path);
std::optional<CapsuleId> parse_capsule(const ObjectPath& path);

// Values as the bus has them: quantities as numbers, identities as text (a nil one is empty),
// things as paths ("/" for none), everything else as it is.
template <class Tag>
std::uint64_t as_bus(const Tagged<Tag, std::uint64_t>& quantity) {
  return quantity.value;
}
template <class Tag>
std::string as_bus(const Tagged<Tag, Uuid>& id) {
  return id.value.is_nil() ? std::string() : id.value.str();
}
template <class T>
ObjectPath as_bus(const std::optional<T>& thing) {
  return ObjectPath(thing ? path_of(*thing) : "/");
}
inline std::string as_bus(const std::string& text) { return text; }
inline bool as_bus(bool flag) { return flag; }
inline std::uint32_t as_bus(std::uint32_t number) { return number; }
inline std::uint64_t as_bus(std::uint64_t number) { return number; }
inline double as_bus(double number) { return number; }
inline std::vector<std::string> as_bus(const std::vector<std::string>& words) { return words; }
inline std::vector<ObjectPath> as_bus(const std::vector<ObjectPath>& paths) { return paths; }

/// When, of which generation, what came of it: signature (tts).
using SyncLine = std::tuple<std::uint64_t, std::uint64_t, std::string>;
SyncLine as_bus(const SyncView& synced);

/// One generation: signature (tssts).
using HistoryLine =
    std::tuple<std::uint64_t, std::string, std::string, std::uint64_t, std::string, bool>;
std::vector<HistoryLine> as_bus(const std::vector<GenerationView>& history);

}  // namespace satchel::faces
