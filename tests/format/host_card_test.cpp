// What hosts leave on a device for one another.
#include "format/host_card.hpp"

#include <fcntl.h>
#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "base/handle.hpp"

using namespace satchel;
using namespace satchel::format;

namespace {

namespace fs = std::filesystem;

struct Device {
  Device() {
    std::string name = "/tmp/satchel-cards-XXXXXX";
    REQUIRE(mkdtemp(name.data()) != nullptr);
    place = name;
    fs::create_directory(place / "satchel");
    root = UniqueFd(::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device() { fs::remove_all(place); }
  HostKey key(const std::string& name) const {
    return HostKey::load_or_create(place / (name + ".key"));
  }
  fs::path file(const HostKey& key) const {
    return place / "satchel/hosts" / (key.public_key().host_id().value.str() + ".json");
  }
  fs::path place;
  UniqueFd root;
};

HostCard card_of(const HostKey& key, const std::string& name) {
  HostCard card;
  card.host = key.public_key().host_id();
  card.host_name = name;
  card.time = UnixMicros(17);
  card.accelerator = "kvm";
  card.machine_type = "pc-q35-7.2";
  card.cpu.mode = "custom";
  card.cpu.model = "Skylake-Client";
  card.cpu.features = {{"aes", "require"}};
  return card;
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("a host's card is read as it was left") {
  const Device device;
  const auto key = device.key("desk");
  const auto card = card_of(key, "desk");
  leave_host_card(device.root.get(), card, key);
  const auto found = host_cards_on(device.root.get());
  REQUIRE(found.size() == 1);
  CHECK(found[0].card.says_the_same(card));
  CHECK(found[0].card.time == card.time);
  CHECK(found[0].bytes == text_of(device.file(key)));
}

TEST_CASE("a card that says the same is not written again, another replaces it") {
  const Device device;
  const auto key = device.key("desk");
  auto card = card_of(key, "desk");
  leave_host_card(device.root.get(), card, key);
  const auto before = text_of(device.file(key));
  card.time = UnixMicros(18);
  leave_host_card(device.root.get(), card, key);
  CHECK(text_of(device.file(key)) == before);
  card.cpu.features.clear();
  leave_host_card(device.root.get(), card, key);
  REQUIRE(host_cards_on(device.root.get()).size() == 1);
  CHECK(host_cards_on(device.root.get())[0].card.cpu.features.empty());
}

TEST_CASE("cards that are torn, forged, misplaced or of a later version are passed over") {
  const Device device;
  const auto key = device.key("desk");
  const auto other = device.key("laptop");
  leave_host_card(device.root.get(), card_of(key, "desk"), key);
  const auto good = text_of(device.file(key));
  const auto write = [&](const std::string& text) { std::ofstream(device.file(key)) << text; };
  const auto changed = [&](const std::string& from, const std::string& to) {
    auto text = good;
    REQUIRE(text.find(from) != std::string::npos);
    return text.replace(text.find(from), from.size(), to);
  };
  for (const auto& text :
       {good.substr(0, good.size() / 2), std::string(), changed("Skylake", "Broadwell"),
        changed("\"version\":1", "\"version\":2"), changed("\"kvm\"", "\"xen\""),
        std::string(1 << 20, ' '), write_host_card(card_of(key, "desk"), other)}) {
    write(text);
    CHECK(host_cards_on(device.root.get()).empty());
  }
  write(write_host_card(card_of(other, "laptop"), other));
  CHECK(host_cards_on(device.root.get()).empty());
  fs::remove(device.file(key));
  fs::create_symlink(device.place / "elsewhere", device.file(key));
  std::ofstream(device.place / "elsewhere") << good;
  CHECK(host_cards_on(device.root.get()).empty());
}

TEST_CASE("a device without cards has none") {
  const Device device;
  CHECK(host_cards_on(device.root.get()).empty());
}
