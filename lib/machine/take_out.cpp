// What of a domain stays on its host, as three lists of XPath expressions over libvirt's domain
// XML: refused, left behind with a warning, left behind silently because each host has its own.
// docs/MACHINE.md shows the same lists to people; tests/machine compares them.
#include "machine/sorting.hpp"
#include "machine/travel_rules.hpp"

namespace satchel::machine {

namespace {

using R = TravelRule;

constexpr R refused[] = {
    {"launchSecurity", "encrypted guest memory can't be saved"},
    {"*[starts-with(name(), 'qemu:')]", "options given to QEMU past libvirt can't be checked"},
    {"os/type[. != 'hvm']", "only fully virtualised machines can travel"},
    {"os/kernel|os/initrd|os/cmdline|os/dtb|os/shim",
     "the kernel is a file of this host: install a boot loader on the machine's disk"},
    {"os/acpi", "an ACPI table is a file of this host"},
    {"os/loader[@type='rom']", "the BIOS image is a file of this host: use the default one"},
    {"os/loader[@stateless='yes']", "firmware without variables is not supported yet"},
    {"os/nvram[@type and @type != 'file']", "firmware variables must be in a file"},
    {"os/*[self::loader or self::nvram][@format and @format != 'raw']",
     "firmware images must be raw"},
    {"sysinfo[@type='fwcfg']", "firmware configuration can name files of this host"},
    {"features/hyperv[@mode='passthrough']",
     "Hyper-V enlightenments 'passthrough' differ from host to host: list them"},
    {"memoryBacking/access[@mode='shared']", "its memory is shared with a process of this host"},
    {"cpu/numa/cell[@memAccess='shared']", "its memory is shared with a process of this host"},
    {"devices/hostdev", "a device of this host is passed through: detach it first"},
    {"devices/filesystem", "a directory of this host is shared with the machine: detach it first"},
    {"devices/disk[@type='network']", "a network disk can't travel"},
    {"devices/disk[@type and @type != 'file' and @type != 'block' and @type != 'network']",
     "only disks in files or on block devices can travel"},
    {"devices/disk[@device='lun']", "a SCSI device of this host is passed through"},
    {"devices/disk[shareable]", "a disk shared with other machines can't travel"},
    {"devices/disk[transient]", "a disk that forgets its changes can't travel"},
    {"devices/disk[mirror]", "a block job is under way on the disk: wait for it or abort it"},
    {"devices/disk[encryption or source/encryption]",
     "the disk's encryption key is a secret of this host"},
    {"devices/disk[source/reservations]", "persistent reservations belong to this host's disk"},
    {"devices/disk[source/slices or source/dataStore]",
     "a slice of a file or a disk with an external data file can't travel"},
    {"devices/interface[@type='hostdev' or @type='vhostuser' or @type='vdpa' or @type='vds']",
     "the network interface is a device or process of this host"},
    {"devices/*/rom[@file]", "an option ROM is a file of this host"},
    {"devices/memory", "memory devices are not supported yet"},
    {"devices/shmem", "its memory is shared with a process of this host"},
    {"devices/crypto", "crypto devices are not supported yet"},
    {"devices/lease", "a lock lease belongs to this host"},
    {"devices/tpm[backend/@type != 'emulator']", "the TPM belongs to this host"},
    {"devices/tpm[backend/encryption]", "the key of the TPM's state is a secret of this host"},
    {"devices/input[@type='passthrough' or @type='evdev']", "an input device of this host"},
    {"devices/video[driver/@name='vhostuser']", "the display is drawn by a process of this host"},
    {"devices/video[model/acceleration/@accel3d='yes']",
     "a display with 3D acceleration can't be suspended"},
};

/// Devices that are in the memory image of a running machine: without one, it would not resume.
constexpr R refused_while_running[] = {
    {"devices/vsock", "its vsock belongs to this host: shut the machine down to pack it without"},
    {"devices/smartcard", "its smartcard reader: shut the machine down to pack it without"},
};

constexpr R warned[] = {
    {"devices/vsock|devices/smartcard|devices/controller[@type='ccid']", "left out"},
    {"metadata", "notes of other programs stay here"},
    {"title|description", "stays here"},
    {"cputune|numatune|blkiotune|memtune|perf|throttlegroups", "this host's limits stay here"},
    {"memoryBacking", "how this host backs the memory stays here"},
    {"iothreads|iothreadids|defaultiothread", "each host runs the disks in the main thread"},
    {"seclabel[@type='static' or @type='none']", "this host's security label stays here"},
    {"vcpu/@cpuset|vcpu/@autocpuset", "pinning to this host's processors stays here"},
    {"devices/disk/iotune|devices/interface/bandwidth", "this host's limits stay here"},
    {"devices/interface/filterref|devices/interface/virtualport|devices/interface/vlan",
     "belongs to this host's network"},
    {"devices/interface/teaming", "a pair of interfaces is for passed-through devices"},
    {"devices/graphics[@type != 'vnc' and @type != 'spice']", "each host shows the display itself"},
    {"devices/graphics/@passwd", "the display's password stays here"},
    {"devices/rng/backend[@model='egd']", "each host gives its own randomness"},
    {"devices/tpm/backend/active_pcr_banks", "the banks are in the TPM's own state"},
};

constexpr R silent[] = {
    {"@id", ""},
    {"resource|seclabel|on_lockfailure|keywrap", ""},
    {"vcpu/@placement", ""},
    {"memory/@dumpCore", ""},
    {"os/firmware|os/type/text()", ""},
    {"cpu/topology/@clusters[. = '1']", ""},
    {"features/kvm/dirty-ring|features/tcg", ""},
    {"devices/emulator|devices/audio", ""},
    {"devices/*/alias[not(starts-with(@name, 'ua-'))]", ""},
    {"devices/disk/@type|devices/disk/@snapshot|devices/disk/@rawio|devices/disk/@sgio", ""},
    {"devices/disk/source|devices/disk/backingStore|devices/disk/target/@tray", ""},
    {"devices/disk/driver/@*[contains("
     "' name type io error_policy rerror_policy discard ioeventfd iothread copy_on_read ',"
     " concat(' ', name(), ' '))]|devices/disk/driver/*",
     ""},
    {"devices/controller/driver/@iothread|devices/controller/driver/@ioeventfd", ""},
    {"devices/interface/target|devices/interface/backend|devices/interface/coalesce|"
     "devices/interface/port|devices/interface/tune|devices/interface/ip|"
     "devices/interface/route|devices/interface/script|devices/interface/downscript|"
     "devices/interface/portForward|devices/interface/@trustGuestRxFilters",
     ""},
    {"devices/interface/driver/@name|devices/interface/driver/@txmode|"
     "devices/interface/driver/@ioeventfd",
     ""},
    {"devices/interface/mac/@type|devices/interface/mac/@check", ""},
    {"devices/console[not(target/@type = 'virtio')]", ""},
    {"devices/*[self::serial or self::parallel or self::console or self::channel]/@type|"
     "devices/*[self::serial or self::parallel or self::console or self::channel]/@tty|"
     "devices/*[self::serial or self::parallel or self::console or self::channel]/*["
     "self::source or self::protocol or self::log]",
     ""},
    {"devices/channel/target/@state", ""},
    {"devices/graphics/*|devices/graphics/@*[name() != 'type']", ""},
    {"devices/sound/audio", ""},
    {"devices/video/driver/@name|devices/video/driver/@vgaconf|devices/video/model/acceleration",
     ""},
    {"devices/rng/backend", ""},
    {"devices/tpm/backend/@type|devices/tpm/backend/@persistent_state|devices/tpm/backend/*", ""},
    {"devices/redirdev/@*|devices/redirdev/source|devices/redirdev/protocol|devices/redirfilter",
     ""},
    {"devices/hub/@type", ""},
};

template <std::size_t n>
void remove(pugi::xml_node domain, const R (&rules)[n], Mistakes* tell) {
  for (const R& rule : rules) {
    for (const pugi::xpath_node& found : domain.select_nodes(rule.path)) {
      const pugi::xml_node parent = found.parent();
      if (tell != nullptr) {
        std::string where = found.attribute() ? place_of(parent) + "/@" + found.attribute().name()
                                              : place_of(found.node());
        tell->push_back({std::move(where), rule.why});
      }
      pugi::xml_node holder = parent;
      if (found.attribute()) {
        holder.remove_attribute(found.attribute());
      } else {
        holder.remove_child(found.node());
      }
    }
  }
}

}  // namespace

TravelRules travel_rules() {
  return {{refused, std::size(refused)},
          {refused_while_running, std::size(refused_while_running)},
          {warned, std::size(warned)}};
}

void take_out(pugi::xml_node domain, Moment moment, Sorted& sorted) {
  remove(domain, refused, &sorted.refused);
  if (moment == Moment::running) remove(domain, refused_while_running, &sorted.refused);
  remove(domain, warned, &sorted.left_behind);
  remove(domain, silent, nullptr);
}

}  // namespace satchel::machine
