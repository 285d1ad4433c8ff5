// Disk images as people have them: which format a file is, by its magic alone, and whether it is
// one that may be read. An image that draws on another file (a backing file, an extent, a parent)
// is refused: what a foreign header names is never opened. Blocking reads on a descriptor; any
// thread.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.hpp"

namespace satchel::disk {

enum class ImageFormat { raw, qcow2, vmdk, vdi, vhdx };

/// As qemu-img names it: "vhdx".
std::string_view name(ImageFormat format);
std::optional<ImageFormat> image_format(std::string_view name);

/// What the file is. One with no magic that is known is raw; what is surely no disk (a compressed
/// file, an archive) or one of a format that is not read is a mistake whose sentence says what to
/// do. Whoever says that a file is raw need not ask.
Result<ImageFormat> recognise(int fd);

/// Empty when the file has this format's structure, is whole as far as its header tells, and draws
/// on no other file. Sources: QEMU's docs/interop/qcow2.txt, VMware's "Virtual Disk Format 1.1",
/// VirtualBox's VDICore.h as QEMU describes it, Microsoft's MS-VHDX.
Mistakes check_image(int fd, ImageFormat format);

}  // namespace satchel::disk
