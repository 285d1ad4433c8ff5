#include "guestfs/handle.hpp"

#include <utility>

namespace satchel::guestfs {

void FreeStrings::operator()(char** list) const {
  for (char** each = list; *each != nullptr; ++each) std::free(*each);
  std::free(list);
}

std::vector<std::string> values(const Strings& list) {
  std::vector<std::string> out;
  if (list)
    for (std::size_t i = 0; list[i] != nullptr; ++i) out.emplace_back(list[i]);
  return out;
}

Fault failure(guestfs_h* g, std::string doing, std::string object, Remedy remedy) {
  const char* words = guestfs_last_error(g);
  std::string why;
  // One line, and no control characters: the words may quote the guest's own names.
  for (const char* c = words == nullptr ? "it gave no reason" : words; *c != '\0'; ++c)
    why += static_cast<unsigned char>(*c) < 0x20 ? ' ' : *c;
  return Fault(remedy, Fault::Text{std::move(doing), std::move(object), std::move(why), {}});
}

}  // namespace satchel::guestfs
