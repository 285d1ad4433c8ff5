#include "guest.hpp"

#include <array>

namespace satchel::test {

// 16-bit code at 0x7c00:
//   set up segments and stack, keep the BIOS drive number at 0x8400
//   again: incw 0x8000; int 13h ax=0301 cx=2 (write sector 1 from 0x8000);
//   int 13h ax=0201 cx=3 (read sector 2 to 0x8200); outb [0x8200] to 0x3f8;
//   outb '0' + ([0x8000] & 7); hlt; hlt; jmp again; on carry: outb '!'
constexpr std::array<unsigned char, 83> boot_code = {
    0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x7c, 0x88, 0x16,
    0x00, 0x84, 0xfb, 0xff, 0x06, 0x00, 0x80, 0xb8, 0x01, 0x03, 0xb9, 0x02, 0x00, 0xe8,
    0x1c, 0x00, 0xb8, 0x01, 0x02, 0xb9, 0x03, 0x00, 0xe8, 0x18, 0x00, 0xa0, 0x00, 0x82,
    0xba, 0xf8, 0x03, 0xee, 0xa0, 0x00, 0x80, 0x24, 0x07, 0x04, 0x30, 0xee, 0xf4, 0xf4,
    0xeb, 0xd7, 0xbb, 0x00, 0x80, 0xeb, 0x03, 0xbb, 0x00, 0x82, 0x31, 0xd2, 0x8a, 0x16,
    0x00, 0x84, 0xcd, 0x13, 0x73, 0x06, 0xb0, 0x21, 0xba, 0xf8, 0x03, 0xee, 0xc3};

std::string boot_disk(char mark) {
  std::string disk(2 << 20, '\0');
  for (std::size_t i = 0; i < boot_code.size(); ++i) disk[i] = static_cast<char>(boot_code[i]);
  disk[510] = '\x55';
  disk[511] = '\xaa';
  disk[1024] = mark;
  return disk;
}

namespace {

std::string source(const std::string& path, const std::string& group) {
  return "<source file='" + path + "'" + (group.empty() ? "" : " fdgroup='" + group + "'") + "/>";
}

}  // namespace

std::string TinyDisk::xml() const {
  std::string below = "<backingStore/>";
  if (!backing.empty())
    below = "<backingStore type='file'><format type='" + backing_format + "'/>" +
            source(backing, backing_group) + "<backingStore/></backingStore>";
  return "<disk type='file' device='disk'><driver name='qemu' type='" + format +
         "' error_policy='stop'/>" + source(path, group) + below +
         "<target dev='vda' bus='virtio'/></disk>";
}

std::string TinyGuest::xml() const {
  const std::string port = serial.empty() ? ""
                                          : "<serial type='file'><source path='" + serial +
                                                "' append='on'/><target port='0'/></serial>";
  const std::string os =
      type == "qemu" ? "<os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>"
                     : "<os><type>hvm</type></os>";
  return "<domain type='" + type + "'><name>" + name + "</name><uuid>" + id.value.str() +
         "</uuid><memory unit='MiB'>32</memory><vcpu>1</vcpu>" + os +
         "<devices><controller type='usb' model='none'/><memballoon model='none'/>" + disks + port +
         "</devices></domain>";
}

}  // namespace satchel::test
