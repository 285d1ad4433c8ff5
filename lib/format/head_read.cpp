#include <algorithm>
#include <nlohmann/json.hpp>

#include "format/head.hpp"
#include "format/head_fields.hpp"
#include "format/strict_json.hpp"

namespace satchel::format {
namespace {

using Json = nlohmann::json;

// One object of the head: hands out its members by name and type, notes every mistake, and at the
// end every member that nobody asked for.
class Members {
 public:
  Members(const Json& json, std::string where, Mistakes& mistakes)
      : json_(json), where_(std::move(where)), mistakes_(mistakes) {
    if (!json_.is_object()) wrong("", "not an object");
  }

  /// Null stands for none where `optional` members are asked for.
  const Json* find(const std::string& name) {
    asked_.push_back(name);
    if (!json_.is_object()) return nullptr;
    const auto at = json_.find(name);
    if (at != json_.end()) return &*at;
    wrong(name, "missing");
    return nullptr;
  }

  const Json* find_unless_null(const std::string& name) {
    const Json* value = find(name);
    return value && !value->is_null() ? value : nullptr;
  }

  std::string text(const std::string& name) {
    const Json* value = find(name);
    if (value && value->is_string()) return value->get<std::string>();
    if (value) wrong(name, "not a string");
    return {};
  }

  std::optional<std::string> optional_text(const std::string& name) {
    const Json* value = find_unless_null(name);
    if (!value) return std::nullopt;
    if (value->is_string()) return value->get<std::string>();
    wrong(name, "neither a string nor null");
    return std::nullopt;
  }

  std::uint64_t integer(const std::string& name, std::uint64_t largest = largest_integer) {
    const Json* value = find(name);
    if (value && value->is_number_unsigned() && value->get<std::uint64_t>() <= largest)
      return value->get<std::uint64_t>();
    if (value) wrong(name, "not an integer from 0 to " + std::to_string(largest));
    return 0;
  }

  bool truth(const std::string& name) {
    const Json* value = find(name);
    if (value && value->is_boolean()) return value->get<bool>();
    if (value) wrong(name, "neither true nor false");
    return false;
  }

  template <class Id>
  Id id(const std::string& name) {
    return parse_id<Id>(name, text(name));
  }

  template <class Id>
  std::optional<Id> optional_id(const std::string& name) {
    const auto value = optional_text(name);
    if (!value) return std::nullopt;
    return parse_id<Id>(name, *value);
  }

  template <class T>
  T hexadecimal(const std::string& name) {
    const auto value = T::parse(text(name));
    if (!value) wrong(name, "not the right number of lower-case hexadecimal digits");
    return value.value_or(T{});
  }

  /// Calls read(value, where) for each element of an array of at most `most`.
  template <class Read>
  void each(const std::string& name, std::size_t most, Read read) {
    const Json* value = find(name);
    if (!value) return;
    if (!value->is_array()) return wrong(name, "not an array");
    if (value->size() > most) return wrong(name, "more than " + std::to_string(most) + " elements");
    for (std::size_t i = 0; i < value->size(); ++i)
      read((*value)[i], where_ + "/" + name + "/" + std::to_string(i));
  }

  void wrong(const std::string& name, std::string what) {
    mistakes_.push_back({name.empty() ? where_ : where_ + "/" + name, std::move(what)});
  }

  void refuse_others() {
    if (!json_.is_object()) return;
    for (const auto& item : json_.items())
      if (std::ranges::find(asked_, item.key()) == asked_.end())
        wrong(item.key().substr(0, 80), "not a member of this version");
  }

 private:
  template <class Id>
  Id parse_id(const std::string& name, const std::string& value) {
    const auto uuid = Uuid::parse(value);
    if (!uuid || uuid->str() != value) wrong(name, "not a UUID in lower case");
    return Id(uuid.value_or(Uuid()));
  }

  const Json& json_;
  std::string where_;
  Mistakes& mistakes_;
  std::vector<std::string> asked_;
};

Generation read_generation(const Json& json, const std::string& where, Mistakes& mistakes) {
  Members in(json, where, mistakes);
  Generation out;
  out.host = in.id<HostId>("host");
  out.host_name = in.text("host_name");
  out.id = in.id<GenerationId>("id");
  out.parent = in.optional_id<GenerationId>("parent");
  out.seq = Sequence(in.integer("seq"));
  out.time = UnixMicros(in.integer("time"));
  in.refuse_others();
  return out;
}

CheckedOut read_checked_out(const Json& json, Mistakes& mistakes) {
  Members in(json, "/checked_out", mistakes);
  CheckedOut out;
  out.host = in.id<HostId>("host");
  out.host_name = in.text("host_name");
  out.session = in.id<SessionId>("session");
  out.since = UnixMicros(in.integer("since"));
  in.refuse_others();
  return out;
}

Disk read_disk(const Json& json, const std::string& where, Mistakes& mistakes) {
  Members in(json, where, mistakes);
  Disk out;
  out.target = in.text("target");
  out.virtual_size = ByteCount(in.integer("virtual_size"));
  in.each("chain", longest_chain, [&](const Json& path, const std::string& at) {
    if (path.is_string())
      out.chain.push_back(path.get<std::string>());
    else
      mistakes.push_back({at, "not a string"});
  });
  in.refuse_others();
  return out;
}

Hibernation read_hibernation(const Json& json, std::uint64_t version, Mistakes& mistakes) {
  Members in(json, "/hibernation", mistakes);
  Hibernation out;
  out.accelerator = in.text("accelerator");
  out.codec = in.text("codec");
  out.emulator = in.text("emulator");
  out.map = in.text("map");
  out.pages = in.text("pages");
  if (version >= head_version_segments) {
    auto& segments = out.segments.emplace();
    in.each("segments", most_segments, [&](const Json& path, const std::string& at) {
      if (path.is_string())
        segments.push_back(path.get<std::string>());
      else
        mistakes.push_back({at, "not a string"});
    });
  }
  out.stream_size = ByteCount(in.integer("stream_size"));
  out.was_paused = in.truth("was_paused");
  in.refuse_others();
  return out;
}

Object read_object(const Json& json, const std::string& where, Mistakes& mistakes) {
  Members in(json, where, mistakes);
  Object out;
  out.digest = in.hexadecimal<Digest>("digest");
  out.path = in.text("path");
  out.size = ByteCount(in.integer("size"));
  in.refuse_others();
  return out;
}

Past read_past(const Json& json, const std::string& where, Mistakes& mistakes) {
  Members in(json, where, mistakes);
  Past out;
  if (const Json* generation = in.find("generation"))
    out.generation = read_generation(*generation, where + "/generation", mistakes);
  out.what = in.text("what");
  in.refuse_others();
  return out;
}

struct Unverified {
  Head head;
  PublicKey signer;
  Signature signature;
};

Unverified read_members(const Json& json, std::uint64_t version, Mistakes& mistakes) {
  Members in(json, "", mistakes);
  Unverified out;
  Head& head = out.head;
  if (in.text("format") != head_kind) in.wrong("format", "not a head of Satchel");
  in.find("version");  // looked at before
  head.capsule = in.id<CapsuleId>("capsule");
  head.name = in.text("name");
  head.epoch = static_cast<std::uint32_t>(in.integer("epoch", UINT32_MAX));
  if (const Json* it = in.find("generation"))
    head.generation = read_generation(*it, "/generation", mistakes);
  if (const Json* it = in.find_unless_null("checked_out"))
    head.checked_out = read_checked_out(*it, mistakes);
  if (const Json* it = in.find("machine")) head.machine_json = canonical(*it);
  in.each("disks", most_disks, [&](const Json& it, const std::string& where) {
    head.disks.push_back(read_disk(it, where, mistakes));
  });
  if (const Json* it = in.find_unless_null("hibernation"))
    head.hibernation = read_hibernation(*it, version, mistakes);
  else if (version >= head_version_segments)
    in.wrong("version", "without segments it is version 1");
  head.nvram = in.optional_text("nvram");
  in.each("objects", most_objects, [&](const Json& it, const std::string& where) {
    head.objects.push_back(read_object(it, where, mistakes));
  });
  in.each("history", longest_history, [&](const Json& it, const std::string& where) {
    head.history.push_back(read_past(it, where, mistakes));
  });
  out.signer = in.hexadecimal<PublicKey>("signer");
  out.signature = in.hexadecimal<Signature>("signature");
  in.refuse_others();
  return out;
}

std::optional<std::uint64_t> version_in(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  const auto at = json.find("version");
  if (at == json.end() || !at->is_number_unsigned()) return std::nullopt;
  return at->get<std::uint64_t>();
}

}  // namespace

bool is_known_version(std::uint64_t version) {
  return version == format_version || version == head_version_segments;
}

std::optional<std::uint32_t> version_of(std::string_view bytes) {
  const auto json = parse_strictly(bytes, largest_head);
  const auto version = json ? version_in(*json) : std::nullopt;
  if (!version || *version > UINT32_MAX) return std::nullopt;
  return static_cast<std::uint32_t>(*version);
}

Result<SignedHead> read_head(std::string_view bytes) {
  auto json = parse_strictly(bytes, largest_head);
  if (!json) return tl::unexpected(std::move(json.error()));
  const auto version = version_in(*json);
  if (!version) return mistake("/version", "missing, or no number");
  if (!is_known_version(*version))
    return mistake("version", "written by a Satchel of format " + std::to_string(*version) +
                                  "; this one reads formats " + std::to_string(format_version) +
                                  " and " + std::to_string(head_version_segments));
  Mistakes mistakes;
  if (canonical(*json) != bytes) mistakes.push_back({"", "not in canonical form"});
  Unverified read = read_members(*json, *version, mistakes);
  if (!mistakes.empty()) return tl::unexpected(std::move(mistakes));
  mistakes = check(read.head);
  if (read.head.generation.host != read.signer.host_id())
    mistakes.push_back({"/signer", "not the key of the generation's host"});
  json->erase("signature");
  const std::string message = signed_bytes(canonical(*json));
  if (!verify(read.signer, std::as_bytes(std::span(message)), read.signature))
    mistakes.push_back({"/signature", "wrong: the head was changed after it was signed"});
  if (!mistakes.empty()) return tl::unexpected(std::move(mistakes));
  return SignedHead{std::move(read.head), read.signer, digest_of(bytes)};
}

}  // namespace satchel::format
