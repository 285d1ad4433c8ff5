#include "fuzz/signing.hpp"

#include <stdlib.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "format/strict_json.hpp"
#include "fuzz/input.hpp"

namespace satchel::fuzz {

namespace {

HostKey make_key() {
  auto place = (std::filesystem::temp_directory_path() / "satchel-fuzz-XXXXXX").string();
  must(::mkdtemp(place.data()) != nullptr, "there is a place for a key");
  auto out = HostKey::load_or_create(place + "/key");
  std::filesystem::remove_all(place);
  return out;
}

}  // namespace

const HostKey& key() {
  static const auto made = make_key();
  return made;
}

std::string with_signature(nlohmann::json object, std::string_view domain) {
  object.erase("signature");
  object["signer"] = key().public_key().hex();
  const auto message = std::string(domain) + format::canonical(object);
  object["signature"] = key().sign(bytes_of(message)).hex();
  return format::canonical(object);
}

}  // namespace satchel::fuzz
