// A generation's head: as it is, and signed by its host, which makes a hostile one of a trusted
// host, or of one that was.
#include "format/head.hpp"

#include <nlohmann/json.hpp>
#include <string>

#include "format/head_fields.hpp"
#include "format/strict_json.hpp"
#include "format/text.hpp"
#include "fuzz/input.hpp"
#include "fuzz/signing.hpp"
#include "machine/description.hpp"

using namespace satchel;
using namespace satchel::fuzz;
using namespace satchel::format;

namespace {

void check(const std::string& bytes) {
  const auto read = read_head(bytes);
  if (!read) return;
  ++accepted();
  must(write_head(read->head, key()) == bytes, "there is one way to write a head");
  must(version_of(bytes).has_value(), "a head's version is told without the rest");
  for (const auto& object : read->head.objects) {
    must(!wrong_with_path(object.path) && object.path.front() != '/' &&
             object.path.find("..") == std::string::npos,
         "an object is beneath the capsule's directory");
    must(read->head.find(object.path) != nullptr, "an object is found by its path");
  }
  for (const auto& disk : read->head.disks) {
    must(is_disk_target(disk.target), "a disk's target can be a directory");
    for (const auto& file : disk.chain)
      must(directory_of(file) == disk.target, "a disk's files are in its directory");
  }
  machine::read_json(read->head.machine_json);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = Input(data, size).rest();
  read_head(text);
  version_of(text);
  auto json = parse_strictly(text, largest_head);
  if (!json || !json->is_object()) return 0;
  if (const auto generation = json->find("generation");
      generation != json->end() && generation->is_object())
    (*generation)["host"] = key().public_key().host_id().value.str();
  check(with_signature(std::move(*json), signature_domain));
  return 0;
}
