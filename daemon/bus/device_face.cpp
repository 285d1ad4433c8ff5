#include "daemon/bus/device_face.hpp"

namespace satchel::faces {

namespace {

Task<ObjectPath> unlock(Requests& requests, Caller caller, DeviceNumber device,
                        UniqueFd passphrase) {
  co_await requests.authorise(caller, Action::launch, "unlock the device", requests.about(device));
  co_return requests.started(requests.commands().unlock(device, std::move(passphrase)));
}

Task<ObjectPath> eject(Requests& requests, Caller caller, DeviceNumber device) {
  co_await requests.authorise(caller, Action::eject, "eject the device", requests.about(device));
  co_return requests.started(requests.commands().eject_device(device));
}

Interface& describe(Shown<DeviceWithCapsules>& shown, Requests& requests) {
  using View = DeviceWithCapsules;
  shown.property("Node", &View::node)
      .property("Label", &View::label)
      .property("FsType", &View::fs_type)
      .property("FsUuid", &View::fs_uuid)
      .property("Model", &View::model)
      .property("MountPoint", &View::mount_point)
      .property("Size", &View::size)
      .property("Free", &View::free)
      .property("Encrypted", &View::encrypted)
      .property("Removable", &View::removable)
      .property("ReadOnly", &View::read_only)
      .property("CanUnplug", &View::can_unplug)
      .property("Detail", &View::detail)
      .property("ReadSpeed", &View::read_speed)
      .property("WriteSpeed", &View::write_speed)
      .property("Capsules", &View::capsules);
  const auto device = shown.view().number;
  return shown.face()
      .method("Unlock", {"passphrase"}, {"job"},
              [&requests, device](Caller caller, UniqueFd passphrase) {
                return unlock(requests, std::move(caller), device, std::move(passphrase));
              })
      .method("Eject", {}, {"job"}, [&requests, device](Caller caller) {
        return eject(requests, std::move(caller), device);
      });
}

}  // namespace

DeviceWithCapsules::DeviceWithCapsules(const DeviceView& device, const std::vector<CapsuleView>& of)
    : DeviceView(device) {
  for (const auto& each : of)
    if (each.device == number) capsules.emplace_back(path_of(each.id));
}

DeviceFace::DeviceFace(Bus& bus, Requests& requests, const DeviceWithCapsules& view)
    : shown_("org.satchel.Satchel1.Device", view),
      object_(bus, path_of(view.number), {describe(shown_, requests)}, Place::member) {}

}  // namespace satchel::faces
