// The container that libvirt puts around QEMU's stream.
#include <string>

#include "fuzz/input.hpp"
#include "hibernation/save_image.hpp"

using namespace satchel::fuzz;
using namespace satchel::hibernation;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const auto bytes = input.rest();
  const auto header = read_save_header(bytes_of(bytes));
  if (header) {
    ++accepted();
    must(bytes.size() >= save_header_size, "what is too short is refused");
    must(header->data_length >= 1 && header->data_length <= largest_save_xml,
         "a description has a size that can be read");
    const std::string xml(header->data_length - 1, 'x');
    const auto again = read_save_header(
        bytes_of(write_save_header(xml, header->was_running ? SavedAs::running : SavedAs::paused)));
    must(again && again->data_length == header->data_length &&
             again->was_running == header->was_running && again->compression == 0,
         "a header that was written reads the same");
  }
  // The same bytes as an image on this computer, which may have been cut off anywhere.
  const auto file = file_of(bytes);
  const auto path = "/proc/self/fd/" + std::to_string(file.get());
  if (is_finished_save(path))
    must(bytes.starts_with("LibvirtQemudSave"), "only what libvirt finished is finished");
  if (is_whole_save(path)) must(bytes.ends_with('}'), "a whole stream ends with its description");
  return 0;
}
