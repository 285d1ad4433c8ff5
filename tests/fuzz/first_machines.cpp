// First inputs of what is about a capsule's head, its machine and the hosts that had it.
#include <filesystem>
#include <fstream>
#include <iterator>

#include "format/head.hpp"
#include "format/host_card.hpp"
#include "format/slot.hpp"
#include "fuzz/first_inputs.hpp"
#include "fuzz/input.hpp"
#include "fuzz/signing.hpp"
#include "machine/reading.hpp"

namespace satchel::fuzz {

using namespace format;

namespace {

template <class Id>
Id id(std::uint8_t number) {
  return Id(Uuid({number, number}));
}

Generation generation(std::uint64_t seq) {
  Generation out;
  out.seq = Sequence(seq);
  out.id = id<GenerationId>(static_cast<std::uint8_t>(seq));
  if (seq > 1) out.parent = id<GenerationId>(static_cast<std::uint8_t>(seq - 1));
  out.host = key().public_key().host_id();
  out.host_name = "desk";
  out.time = UnixMicros(1'700'000'000'000'000);
  return out;
}

/// A head with everything in it.
Head rich_head(std::string machine) {
  Head head;
  head.capsule = id<CapsuleId>(9);
  head.name = "Büro – 機械";
  head.epoch = 3;
  head.generation = generation(7);
  head.checked_out =
      CheckedOut{id<HostId>(8), "laptop", id<SessionId>(7), UnixMicros(1'700'000'000'000'001)};
  head.machine_json = std::move(machine);
  head.disks = {{"vda", ByteCount(1U << 30), {"vda/image.qcow2", "vda/cow.qcow2"}}};
  head.hibernation = Hibernation{
      "zstd-pages-2", "memory/7.pages", "memory/7.map", ByteCount(4096),
      "tcg",          "QEMU 7.2.22",    false,          std::vector<std::string>{"memory/5.pages"}};
  head.nvram = "state/7.nvram";
  for (const char* path : {"memory/5.pages", "memory/7.map", "memory/7.pages", "state/7.nvram",
                           "vda/cow.qcow2", "vda/image.qcow2"})
    head.objects.push_back({path, ByteCount(1000), digest_of(std::string_view(path))});
  head.history = {{generation(6), "eject"}, {generation(7), "check out"}};
  return head;
}

Head plain_head() {
  Head head;
  head.capsule = id<CapsuleId>(1);
  head.name = "a machine";
  head.generation = generation(1);
  head.machine_json = "{}";
  return head;
}

void add_domains(const FirstInputs& to) {
  for (const auto* name : {"kvm-desktop", "pc-everything", "q35-efi-everything"}) {
    const std::filesystem::path place = SATCHEL_SOURCE_DIR "/tests/machine/xml";
    std::ifstream in(place / (std::string(name) + ".xml"));
    const std::string xml{std::istreambuf_iterator<char>(in), {}};
    const auto reading = machine::read_domain(xml);
    must(reading.has_value(), "a domain of the tests can be read");
    to.add("domain", name, coded({0}) + xml);
    to.add("description", name, machine::write_json(reading->machine));
  }
}

void add_card(const FirstInputs& to) {
  HostCard card;
  card.host = key().public_key().host_id();
  card.host_name = "desk";
  card.time = UnixMicros(1'700'000'000'000'000);
  card.accelerator = "kvm";
  card.machine_type = "pc-q35-7.2";
  card.cpu.mode = "custom";
  card.cpu.model = "Haswell";
  card.cpu.features = {{"vmx", "disable"}, {"aes", "require"}};
  to.add("host_card", "desk", write_host_card(card, key()));
}

void add_slots(const FirstInputs& to) {
  SlotRecord record{Sequence(1), id<GenerationId>(1), std::nullopt, digest_of("head")};
  const auto add = [&](const char* name, unsigned how) {
    const auto bytes = write_slot(record);
    to.add("slot", name,
           coded({how}) + std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  };
  add("first", 0);
  add("first_made_right", 1);
  record.seq = Sequence(2);
  record.parent = id<GenerationId>(1);
  add("second_made_right", 1);
}

}  // namespace

void add_machines(const FirstInputs& to) {
  to.add("head", "plain", write_head(plain_head(), key()));
  to.add("head", "rich", write_head(rich_head(R"({"memory":268435456})"), key()));
  add_domains(to);
  add_card(to);
  add_slots(to);
}

}  // namespace satchel::fuzz
