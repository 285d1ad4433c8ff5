#include "format/host_card.hpp"

#include <fcntl.h>

#include <nlohmann/json.hpp>

#include "format/capsule_state.hpp"
#include "format/files.hpp"
#include "format/strict_json.hpp"
#include "format/text.hpp"

namespace satchel::format {

namespace {

using Json = nlohmann::json;

constexpr std::string_view card_kind = "satchel-host";
/// Stands before the canonical bytes when they are signed.
constexpr std::string_view signature_domain = "satchel-host-v1\n";
constexpr auto directory_name = "hosts";
constexpr std::uint64_t card_version = 1;
constexpr std::uint64_t latest_time = (std::uint64_t{1} << 53) - 1;

std::string file_of(HostId host) { return host.value.str() + ".json"; }

std::string text_in(const Json& json, const char* name, Mistakes& mistakes) {
  const auto at = json.find(name);
  if (at != json.end() && at->is_string()) return at->get<std::string>();
  mistakes.push_back({std::string("/") + name, "missing, or not a string"});
  return {};
}

HostCard members_of(const Json& json, Mistakes& mistakes) {
  HostCard card;
  if (const auto host = Uuid::parse(text_in(json, "host", mistakes))) card.host = HostId(*host);
  card.host_name = text_in(json, "host_name", mistakes);
  if (!is_name(card.host_name)) mistakes.push_back({"/host_name", "not a name"});
  card.accelerator = text_in(json, "accelerator", mistakes);
  if (card.accelerator != "kvm" && card.accelerator != "tcg")
    mistakes.push_back({"/accelerator", "neither kvm nor tcg"});
  card.machine_type = text_in(json, "machine_type", mistakes);
  const auto time = json.find("time");
  if (time != json.end() && time->is_number_unsigned() && time->get<std::uint64_t>() <= latest_time)
    card.time = UnixMicros(time->get<std::uint64_t>());
  else
    mistakes.push_back({"/time", "missing, or no time"});
  const auto cpu = json.find("cpu");
  auto read = machine::read_cpu_json(cpu == json.end() ? "null" : canonical(*cpu));
  if (read)
    card.cpu = std::move(*read);
  else
    mistakes.insert(mistakes.end(), read.error().begin(), read.error().end());
  return card;
}

bool is_signed(Json json, const HostCard& card, Mistakes& mistakes) {
  const auto signer = PublicKey::parse(text_in(json, "signer", mistakes));
  const auto signature = Signature::parse(text_in(json, "signature", mistakes));
  if (!signer || !signature || signer->host_id() != card.host) return false;
  json.erase("signature");
  const auto message = std::string(signature_domain) + canonical(json);
  return verify(*signer, std::as_bytes(std::span(message)), *signature);
}

}  // namespace

bool HostCard::says_the_same(const HostCard& other) const {
  return host == other.host && host_name == other.host_name && accelerator == other.accelerator &&
         machine_type == other.machine_type && cpu == other.cpu;
}

std::string write_host_card(const HostCard& card, const HostKey& key) {
  Json json{{"format", card_kind},
            {"version", card_version},
            {"host", card.host.value.str()},
            {"host_name", card.host_name},
            {"time", card.time.value},
            {"accelerator", card.accelerator},
            {"machine_type", card.machine_type},
            {"cpu", Json::parse(machine::write_cpu_json(card.cpu))},
            {"signer", key.public_key().hex()}};
  const auto message = std::string(signature_domain) + canonical(json);
  json["signature"] = key.sign(std::as_bytes(std::span(message))).hex();
  return canonical(json);
}

Result<HostCard> read_host_card(std::string_view bytes) {
  constexpr std::size_t members = 10;
  const auto json = parse_strictly(bytes, largest_host_card);
  if (!json) return tl::unexpected(json.error());
  if (!json->is_object() || json->value("format", Json()) != card_kind ||
      json->value("version", Json()) != card_version)
    return mistake("", "not a host card of this version");
  Mistakes mistakes;
  auto card = members_of(*json, mistakes);
  if (json->size() != members) mistakes.push_back({"", "has members that are not known"});
  if (mistakes.empty() && !is_signed(*json, card, mistakes))
    mistakes.push_back({"/signature", "wrong"});
  if (!mistakes.empty()) return tl::unexpected(std::move(mistakes));
  return card;
}

std::vector<SignedHostCard> host_cards_on(int root) {
  std::vector<SignedHostCard> out;
  const auto top = open_own_directory(root, top_directory);
  if (!top) return out;
  const auto hosts = open_own_directory(top->get(), directory_name);
  if (!hosts) return out;
  for (const auto& name : names_in(hosts->get(), directory_name)) {
    if (out.size() == most_host_cards) break;
    auto bytes = read_whole(hosts->get(), name, largest_host_card);
    if (!bytes) continue;
    auto card = read_host_card(*bytes);
    if (card && file_of(card->host) == name) out.push_back({std::move(*card), std::move(*bytes)});
  }
  return out;
}

void leave_host_card(int root, const HostCard& card, const HostKey& key) {
  const auto shown = std::string(top_directory) + "/" + directory_name;
  const auto top = or_fault(open_own_directory(root, top_directory), "open", top_directory);
  const auto made = make_directory(top.get(), directory_name, 0700, shown);
  const auto hosts = or_fault(open_own_directory(top.get(), directory_name), "open", shown);
  const auto name = file_of(card.host);
  if (const auto there = read_whole(hosts.get(), name, largest_host_card))
    if (const auto before = read_host_card(*there); before && before->says_the_same(card)) return;
  remove_file(hosts.get(), name, shown);
  const auto file = create_file(hosts.get(), name, shown);
  const auto bytes = write_host_card(card, key);
  write_at(file.get(), 0, std::as_bytes(std::span(bytes)), shown);
  sync_file(file.get(), shown);
  sync_directory(hosts.get(), shown);
  if (made == Made::now) sync_directory(top.get(), top_directory);
}

}  // namespace satchel::format
