#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "session/journal_words.hpp"
#include "session/session.hpp"

namespace satchel {

namespace {

using nlohmann::json;

constexpr std::size_t longest_journal = 8U << 20;

/// Members of one object, each of which must be asked for.
class Members {
 public:
  Members(const json& object, std::string pointer, Mistakes& mistakes)
      : object_(object), pointer_(std::move(pointer)), mistakes_(mistakes) {
    if (!object_.is_object()) note("", "must be an object");
  }

  const json* optional(const std::string& key) {
    known_.insert(key);
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
  }

  const json* required(const std::string& key) {
    const auto* value = optional(key);
    if (value == nullptr && object_.is_object()) note(key, "is missing");
    return value;
  }

  void text(const json* value, const std::string& key, std::string& out) {
    if (value == nullptr) return;
    if (value->is_string())
      out = value->get<std::string>();
    else
      note(key, "must be a text");
  }
  void text(const std::string& key, std::string& out) { text(required(key), key, out); }

  void path(const json* value, const std::string& key, std::string& out) {
    text(value, key, out);
    if (value != nullptr && value->is_string() && !out.starts_with('/'))
      note(key, "must be an absolute path");
  }

  /// Absent: false.
  void flag(const std::string& key, bool& out) {
    const auto* value = optional(key);
    if (value == nullptr) return;
    if (value->is_boolean())
      out = value->get<bool>();
    else
      note(key, "must be true or false");
  }

  void number(const json* value, const std::string& key, std::uint64_t& out) {
    if (value == nullptr) return;
    if (value->is_number_unsigned())
      out = value->get<std::uint64_t>();
    else
      note(key, "must be a whole number");
  }
  void number(const std::string& key, std::uint64_t& out) { number(required(key), key, out); }

  template <class Tag>
  void id(const json* value, const std::string& key, Tagged<Tag, Uuid>& out) {
    if (value == nullptr) return;
    const auto parsed = value->is_string() ? Uuid::parse(value->get<std::string>()) : std::nullopt;
    if (parsed)
      out.value = *parsed;
    else
      note(key, "must be a UUID");
  }
  template <class Tag>
  void id(const std::string& key, Tagged<Tag, Uuid>& out) {
    id(required(key), key, out);
  }

  template <class T, std::size_t n>
  void word(const std::string& key, const journal::Words<T, n>& words, T& out) {
    const auto* value = required(key);
    if (value == nullptr) return;
    if (value->is_string())
      for (const auto& [each, text] : words)
        if (text == value->get_ref<const std::string&>()) {
          out = each;
          return;
        }
    note(key, "is not one of the known words");
  }

  void note(const std::string& key, std::string what) {
    mistakes_.push_back({key.empty() ? pointer_ : pointer_ + "/" + key, std::move(what)});
  }

  void refuse_others() {
    if (!object_.is_object()) return;
    for (const auto& [key, value] : object_.items())
      if (known_.count(key) == 0) note(key, "is unknown");
  }

 private:
  const json& object_;
  std::string pointer_;
  Mistakes& mistakes_;
  std::set<std::string> known_;
};

DiskOverlay read_disk(const json& value, const std::string& pointer, Mistakes& mistakes) {
  DiskOverlay out;
  Members disk(value, pointer, mistakes);
  disk.text("target", out.target);
  disk.path(disk.required("path"), "path", out.path);
  if (const auto* chain = disk.required("chain")) {
    if (!chain->is_array()) disk.note("chain", "must be a list");
    if (chain->is_array())
      for (const auto& file : *chain) {
        if (file.is_string())
          out.chain.push_back(file.get<std::string>());
        else
          disk.note("chain", "must hold texts only");
      }
  }
  if (const auto* frozen = disk.optional("frozen")) {
    if (!frozen->is_array()) disk.note("frozen", "must be a list");
    if (frozen->is_array())
      for (const auto& file : *frozen) disk.path(&file, "frozen", out.frozen.emplace_back());
  }
  disk.flag("leaving", out.leaving);
  disk.refuse_others();
  return out;
}

void read_optional_path(Members& members, const std::string& key, std::optional<std::string>& out) {
  if (const auto* value = members.optional(key)) members.path(value, key, out.emplace());
}

Session read_session(const json& document, Mistakes& mistakes) {
  Session out;
  Members top(document, "", mistakes);
  top.optional("version");
  top.id("capsule", out.capsule);
  top.text("capsule_name", out.capsule_name);
  top.id("session", out.session);
  top.id("domain", out.domain);
  top.text("domain_name", out.domain_name);
  top.text("fs_uuid", out.fs_uuid);
  top.number("disk_sequence", out.disk_sequence);
  top.id("base", out.base);
  top.number("base_sequence", out.base_sequence.value);
  if (const auto* value = top.optional("checkpointed"))
    top.number(value, "checkpointed", out.checkpointed.emplace().value);
  if (const auto* value = top.optional("checkpoint"))
    top.id(value, "checkpoint", out.checkpoint.emplace());
  if (const auto* value = top.optional("committing"))
    top.id(value, "committing", out.committing.emplace());
  if (const auto* value = top.optional("written"))
    top.number(value, "written", out.written.emplace().value);
  top.word("phase", journal::phases, out.phase);
  if (const auto* disks = top.required("disks")) {
    if (!disks->is_array()) top.note("disks", "must be a list");
    if (disks->is_array())
      for (std::size_t i = 0; i < disks->size(); ++i)
        out.disks.push_back(read_disk((*disks)[i], "/disks/" + std::to_string(i), mistakes));
  }
  top.word("guest_was", journal::guests, out.guest_was);
  top.word("defined_by", journal::definers, out.defined_by);
  if (const auto* value = top.optional("original_definition"))
    top.text(value, "original_definition", out.original_definition.emplace());
  read_optional_path(top, "nvram", out.nvram);
  read_optional_path(top, "save_image", out.save_image);
  top.flag("on_copies", out.on_copies);
  top.number("started", out.started.value);
  top.refuse_others();
  return out;
}

}  // namespace

Result<Session> read_journal(std::string_view text) {
  if (text.size() > longest_journal) return mistake("", "is too long for a journal");
  // The daemon alone writes it, so a member given twice can only mean damage.
  std::vector<std::set<std::string>> open;
  std::optional<std::string> twice;
  const auto watch = [&](int, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::object_start) open.emplace_back();
    if (event == json::parse_event_t::object_end) open.pop_back();
    if (event == json::parse_event_t::key && !open.back().insert(value.get<std::string>()).second)
      twice = value.get<std::string>();
    return true;
  };
  json document;
  try {
    document = json::parse(text, watch);
  } catch (const json::exception& error) {
    return mistake("", std::string("is not JSON: ") + error.what());
  }
  if (twice) return mistake("/" + *twice, "is given twice");

  if (document.is_object() && document.contains("version") &&
      document["version"] != journal::version)
    return mistake("/version", "is not the version that this program knows");
  Mistakes mistakes;
  if (document.is_object() && !document.contains("version"))
    mistakes.push_back({"/version", "is missing"});
  auto session = read_session(document, mistakes);
  if (!mistakes.empty()) return tl::unexpected<Mistakes>(std::move(mistakes));
  return session;
}

}  // namespace satchel
