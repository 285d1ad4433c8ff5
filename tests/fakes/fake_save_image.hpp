// The fake hypervisor's save images: libvirt's container around a counter and some ballast, written
// and read as libvirt does. Blocking, on a lane.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

namespace satchel::test {

struct FakeSaveImage {
  std::string xml;
  std::uint64_t counter;
  bool was_running;
  std::size_t stream_bytes;
};

/// What the fake is to do between the stream's end and the header.
enum class AfterStream {
  finish,
  fail,
  fail_at_header,  ///< it is let in to write the header, and doesn't
  never_come,  ///< in the middle of the stream it stands still until it is aborted or turned away
};

/// Opens the path, writes all with an unfinished header, closes; opens it again and writes the
/// finished header. Throws Fault; `aborted` ends the first part.
struct FakeSaveHooks {
  std::function<void()> within;     ///< in the middle of the stream
  std::function<void()> between;    ///< after the first part
  std::function<void()> at_header;  ///< when it may write the header
};
void write_fake_save(const std::string& path, const FakeSaveImage& image, AfterStream after,
                     const std::atomic<bool>& aborted, const FakeSaveHooks& hooks);

/// Reads the path to its end. Throws Fault for anything but a finished image.
FakeSaveImage read_fake_save(const std::string& path);

}  // namespace satchel::test
