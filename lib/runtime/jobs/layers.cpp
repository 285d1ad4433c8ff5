#include "runtime/jobs/layers.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <ranges>
#include <utility>

#include "base/fault.hpp"
#include "base/host_fault.hpp"
#include "disk/copy.hpp"
#include "disk/qcow2.hpp"
#include "disk/qemu_img.hpp"
#include "runtime/chains.hpp"
#include "runtime/host_room.hpp"

namespace satchel {

namespace {

enum class Overlays { are_closed, are_open };

/// One way of shipping all overlays of a session.
class Layers {
 public:
  Layers(const Parts& parts, Shipment& shipment, Overlays overlays, std::stop_token stop)
      : parts_(parts), shipment_(shipment), overlays_(overlays), stop_(std::move(stop)) {}

  /// None: an overlay that is open could only be shipped as it is, which changes its header.
  std::optional<ShippedLayers> ship(const Session& session, const BeginStep& begin) {
    ShippedLayers out{shipment_.next.disks, {}};
    for (auto& disk : out.disks) {
      const auto overlay = std::ranges::find(session.disks, disk.target, &DiskOverlay::target);
      if (overlay == session.disks.end()) continue;
      // The overlays hold all that the chain lacks of what this session wrote.
      disk.chain = overlay->chain;
      const auto layer =
          disk.target + "/layer-" + std::to_string(shipment_.next.generation.seq.value);
      int number = 0;
      const auto ship = [&](const std::string& file, std::string object) {
        auto shipped =
            ship_one(file, disk.chain.back(), object, begin("writing disk " + disk.target));
        if (!shipped) return false;
        out.objects.push_back(std::move(*shipped));
        disk.chain.push_back(std::move(object));
        return true;
      };
      // The lowest first.
      for (const auto& each : overlay->frozen)
        if (!ship(each, layer + "-" + std::to_string(++number) + ".qcow2")) return std::nullopt;
      disk.virtual_size = size_now(*overlay, disk.virtual_size, session.domain_name);
      if (!ship(overlay->path, layer + ".qcow2")) return std::nullopt;
    }
    return out;
  }

 private:
  static UniqueFd open_file(const std::string& path) {
    UniqueFd file(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!file) throw host_fault_from_errno(errno, "open the overlay", path);
    return file;
  }

  /// A disk may have grown while the machine ran (virsh blockresize).
  static ByteCount size_now(const DiskOverlay& overlay, ByteCount before,
                            const std::string& domain) {
    const auto header = disk::read_qcow2(open_file(overlay.path).get());
    if (!header)
      throw Fault(Remedy::report_bug,
                  {"read the overlay", overlay.path, to_string(header.error()), {}});
    if (header->virtual_size < before)
      throw Fault(Remedy::fix_config,
                  {"check in disk", overlay.target,
                   "it was made smaller while the machine ran, which Satchel can't carry",
                   "Launch it if it is off, and make it as large as it was: virsh blockresize " +
                       domain + " " + overlay.target + " " + std::to_string(before.value) + "B"});
    return header->virtual_size;
  }

  /// What other programs keep in it must not reach the device, which could not be used then.
  static UniqueFd as_it_is(const std::string& overlay) {
    auto file = open_file(overlay);
    const auto header = disk::read_qcow2(file.get());
    if (header && header->has_data_file)
      throw Fault(Remedy::report_bug,
                  {"write the overlay", overlay, "its data are in another file", {}});
    if (header && header->has_bitmaps)
      throw Fault(Remedy::free_space,
                  {"write the overlay", overlay,
                   "it has bitmaps of a backup program, and could not be written without them",
                   "Free some space on this computer, or remove them: virsh checkpoint-delete"});
    return file;
  }

  /// Neither a merge while the guest ran nor the compression left the neighbour's name in its
  /// header.
  std::optional<format::Object> ship_one(const std::string& overlay, const std::string& below,
                                         const std::string& object, const ProgressSink& progress) {
    auto from = compressed(overlay);
    if (!from && overlays_ == Overlays::are_open) return std::nullopt;
    if (!from) from = as_it_is(overlay);
    on_host([&] { disk::set_backing(from.get(), file_name(below)); });
    auto layer = shipment_.capsule.create_object(object);
    const disk::SparseSink sink{[&](std::span<const std::byte> bytes) {
                                  layer.write(bytes);
                                  shipment_.written(bytes.size(), stop_);
                                },
                                [&](ByteCount hole) { layer.skip(hole); }};
    disk::copy_sparse({from.get(), host_fault_from_errno}, sink, progress, stop_);
    return layer.finish();
  }

  /// What of an overlay goes to the device, in a file that has no name any more. None where it
  /// can't be made on this computer's disk: then it goes there as it is.
  UniqueFd compressed(const std::string& overlay) {
    const auto packed = overlay + ".packed";
    const auto room = free_space(std::filesystem::path(overlay).parent_path());
    if (room < parts_.config.space.keep_free_host + allocated({overlay})) return {};
    try {
      disk::compress_overlay(overlay, packed, stop_);
      auto file = open_file(packed);
      ::unlink(packed.c_str());
      return file;
    } catch (const Fault& failure) {
      if (stop_.stop_requested()) throw;
      parts_.log.warning(std::string(failure.what()) + "; it is written as it is");
      return {};
    }
  }

  const Parts& parts_;
  Shipment& shipment_;
  Overlays overlays_;
  std::stop_token stop_;
};

}  // namespace

ShippedLayers ship_layers(const Parts& parts, Shipment& shipment, const Session& session,
                          Meter& meter, std::stop_token stop) {
  Layers layers(parts, shipment, Overlays::are_closed, std::move(stop));
  return *layers.ship(session, [&meter](std::string step) { return meter.begin(std::move(step)); });
}

LayersBeside::LayersBeside(Parts& parts, Shipment& shipment, const Session& session,
                           const Suspension& suspension, Meter& meter, std::stop_token stop)
    : parts_(parts),
      shipment_(shipment),
      session_(session),
      suspension_(suspension),
      meter_(meter),
      job_stopped_(std::move(stop), [source = stopping_]() mutable { source.request_stop(); }),
      work_(parts.loop, run()) {}

Task<void> LayersBeside::run() {
  auto waiting =
      offload(parts_.lanes.files, [still = suspension_.stands_still(),
                                   stop = stopping_.get_token()] { return still->wait(stop); });
  if (!co_await std::move(waiting)) co_return;
  auto looking = is_certainly_still();
  if (!co_await std::move(looking)) co_return;
  auto shipping = offload(parts_.lanes.files, [this] {
    before_.emplace(session_);
    Layers layers(parts_, shipment_, Overlays::are_open, stopping_.get_token());
    layers_ = layers.ship(session_, [this](std::string) { return meter_.beside(); });
  });
  co_await std::move(shipping);
}

/// A save stops the guest before it writes anything; should that ever change, it is seen here.
Task<bool> LayersBeside::is_certainly_still() {
  try {
    auto finding = parts_.hypervisor.find(session_.domain);
    const auto guest = co_await std::move(finding);
    co_return guest && guest->state == GuestState::paused;
  } catch (const Fault& failure) {
    parts_.log.warning(std::string(failure.what()) + "; the disks are written after the memory");
    co_return false;
  }
}

Task<std::optional<ShippedLayers>> LayersBeside::take() {
  auto joining = work_.join();
  co_await std::move(joining);
  auto looking =
      offload(parts_.lanes.files, [this] { return !before_ || before_->are_unwritten(); });
  if (layers_ && !co_await std::move(looking)) {
    parts_.log.warning(session_.capsule_name +
                       " wrote to its disks while it was being saved; they are written anew");
    layers_.reset();
  }
  co_return std::move(layers_);
}

Task<void> LayersBeside::give_up() {
  stopping_.request_stop();
  auto ending = work_.settled();
  co_await std::move(ending);
}

}  // namespace satchel
