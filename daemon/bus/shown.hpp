// A view as an interface's properties: shows what it is now and tells which properties a newer one
// changes. Owned by a face; stays where it is, for the properties refer to it. Loop thread only.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bus/object.hpp"
#include "daemon/bus/paths.hpp"

namespace satchel::faces {

template <class View>
class Shown {
 public:
  Shown(std::string interface, View view) : face_(std::move(interface)), view_(std::move(view)) {}
  Shown(const Shown&) = delete;
  Shown& operator=(const Shown&) = delete;

  /// `value` is a member of the view, or a function of it.
  template <class F>
  Shown& property(const std::string& name, F value, Emits emits = Emits::change) {
    face_.property(
        name, [this, value] { return as_bus(std::invoke(value, view_)); }, emits);
    if (emits == Emits::change)
      watched_.push_back(Watched{name, [value](const View& a, const View& b) {
                                   return std::invoke(value, a) != std::invoke(value, b);
                                 }});
    return *this;
  }

  /// The interface, to be given methods and signals, and then to an Object.
  Interface& face() { return face_; }
  const View& view() const { return view_; }

  void show(const View& now, Object& on) {
    const View before = std::exchange(view_, now);
    for (const auto& each : watched_)
      if (each.differs(before, view_)) on.changed(face_.name(), each.name);
  }

 private:
  struct Watched {
    std::string name;
    std::function<bool(const View&, const View&)> differs;
  };

  Interface face_;
  View view_;
  std::vector<Watched> watched_;
};

}  // namespace satchel::faces
