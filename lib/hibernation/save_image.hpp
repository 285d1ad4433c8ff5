// libvirt's save image container (libvirt: src/qemu/qemu_saveimage.h): a 92-byte header, domain
// XML, an optional cookie, then QEMU's stream. Any thread; pure, but for what takes a path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace satchel::hibernation {

inline constexpr std::size_t save_header_size = 92;
inline constexpr std::size_t largest_save_xml = 4U << 20;

struct SaveHeader {
  std::uint32_t data_length;  ///< bytes of XML and cookie that follow, NULs included
  bool was_running;
  std::uint32_t compression;  ///< 0 is raw, the only one that is read on
};

/// Of a stream that libvirt is still writing ("LibvirtQemudPart") or has finished.
Result<SaveHeader> read_save_header(std::span<const std::byte> bytes);

/// Whether libvirt has finished the save image at this path; false where there is none. Blocking.
bool is_finished_save(const std::filesystem::path& image);

/// How the guest was when it was saved: how a restore leaves it.
enum class SavedAs { running, paused };

/// Whether an image that libvirt has not finished has a whole stream, as its end tells: what is
/// left is the header. False where there is none. Blocking.
bool is_whole_save(const std::filesystem::path& image);
/// Writes what libvirt writes last into such an image, and syncs it. Throws Fault. Blocking.
void finish_save(const std::filesystem::path& image);

/// Header and XML of a finished, raw save image without cookie; QEMU's stream goes right behind.
/// `spare`: zero bytes behind the XML, room for a longer one (virsh save-image-edit).
std::string write_save_header(std::string_view domain_xml, SavedAs as = SavedAs::running,
                              std::size_t spare = 0);

}  // namespace satchel::hibernation
