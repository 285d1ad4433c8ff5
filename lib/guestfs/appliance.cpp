#include "guestfs/appliance.hpp"

#include <unistd.h>

#include <utility>

#include "guestfs/guest_files.hpp"
#include "guestfs/handle.hpp"
#include "guestfs/mounting.hpp"

namespace satchel::guestfs {

namespace {

enum class Speed { as_fast_as_it_goes, emulated };

Guestfs prepared(const ApplianceOrder& order, Speed speed) {
  Guestfs made(guestfs_create());
  if (!made)
    throw Fault(Remedy::report_bug, Fault::Text{"prepare", "the reader", "no memory is left", {}});
  auto* g = made.get();
  // What it says is in guestfs_last_error; it need not print it as well.
  guestfs_set_error_handler(g, nullptr, nullptr);
  check(g, guestfs_set_backend(g, "direct"), "set up", "the reader");
  if (speed == Speed::emulated)
    check(g, guestfs_set_backend_setting(g, "force_tcg", "1"), "set up", "the reader");
  check(g, guestfs_set_tmpdir(g, order.temporary.c_str()), "use", order.temporary.string());
  check(g, guestfs_set_cachedir(g, order.cache.c_str()), "use", order.cache.string());
  const auto server = "unix:" + order.socket;
  const char* servers[] = {server.c_str(), nullptr};
  for (const auto& disk : order.disks)
    // "Read-only" makes libguestfs put its own scratch qcow2 over the disk: the appliance may
    // replay a journal, and nothing of that reaches the disk.
    check(g,
          guestfs_add_drive_opts(g, disk.c_str(), GUESTFS_ADD_DRIVE_OPTS_READONLY, 1,
                                 GUESTFS_ADD_DRIVE_OPTS_FORMAT, "raw",
                                 GUESTFS_ADD_DRIVE_OPTS_PROTOCOL, "nbd",
                                 GUESTFS_ADD_DRIVE_OPTS_SERVER, servers, -1),
          "add", "disk " + disk);
  return made;
}

}  // namespace

class Appliance::Machine {
 public:
  explicit Machine(const ApplianceOrder& order)
      : g_(launched(order)), mounting_(g_.get(), order.disks) {}

  guestfs_h* get() const { return g_.get(); }
  std::unique_ptr<sync::GuestTree> open(const sync::GuestPlace& place) {
    return std::make_unique<GuestFiles>(g_.get(), mounting_.mount(place));
  }

 private:
  static Guestfs launched(const ApplianceOrder& order) {
    // A /dev/kvm that is there may still not work.
    if (::access("/dev/kvm", R_OK | W_OK) == 0) {
      auto fast = prepared(order, Speed::as_fast_as_it_goes);
      if (guestfs_launch(fast.get()) == 0) return fast;
    }
    auto slow = prepared(order, Speed::emulated);
    if (guestfs_launch(slow.get()) == 0) return slow;
    auto why = failure(slow.get(), "start", "the reader of the machine's files", Remedy::ask_admin);
    auto text = why.text();
    text.next =
        "See whether it starts at all: libguestfs-test-tool. It needs a kernel that this user may "
        "read: chmod +r /boot/vmlinuz-*.";
    throw Fault(Remedy::ask_admin, std::move(text));
  }

  Guestfs g_;
  Mounting mounting_;
};

Appliance::Appliance(ApplianceOrder order) {
  if (order.step) order.step("starting the reader");
  machine_ = std::make_unique<Machine>(order);
}

Appliance::~Appliance() = default;

std::unique_ptr<sync::GuestTree> Appliance::open(const sync::GuestPlace& place) {
  return machine_->open(place);
}

void Appliance::cancel() { guestfs_user_cancel(machine_->get()); }

}  // namespace satchel::guestfs
