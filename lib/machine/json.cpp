// The JSON form of a description: the same members as schema.hpp lists, unset ones left out.
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "machine/schema.hpp"
#include "ports/hypervisor.hpp"

namespace satchel::machine {

namespace {

using nlohmann::json;

constexpr std::size_t longest_text = 1 << 20;
constexpr int deepest = 16;

class JsonWriter {
 public:
  explicit JsonWriter(json& object) : object_(object) { object_ = json::object(); }

  void version(const char* name, std::uint64_t number) { object_[name] = number; }
  void text(const char* name, const char*, const std::string& value, const Shape&) {
    if (!value.empty()) object_[name] = value;
  }
  void uuid(const char* name, const char*, const DomainId& id) { object_[name] = id.value.str(); }
  void accelerator(const char* name, const char*, Accelerator value) {
    object_[name] = value == Accelerator::kvm ? "kvm" : "tcg";
  }
  void number(const char* name, const char*, const Number& value, Range, Base = Base::decimal) {
    if (value) object_[name] = *value;
  }
  void kib(const char* name, const char*, const Number& value) {
    if (value) object_[name] = *value;
  }
  void flag(const char* name, const char*, bool value) {
    if (value) object_[name] = true;
  }
  void state(const char* name, const char*, Switch value, Spelling) {
    if (value != Switch::unset) object_[name] = value == Switch::on;
  }
  template <class T>
  void part(const char* name, const char*, T& value) {
    json inner;
    JsonWriter writer(inner);
    fields(writer, value);
    if (!inner.empty()) object_[name] = std::move(inner);
  }
  template <class T>
  void part(const char* name, const char*, std::optional<T>& value) {
    if (!value) return;
    json inner;
    JsonWriter writer(inner);
    fields(writer, *value);
    object_[name] = std::move(inner);
  }
  template <class T>
  void list(const char* name, const char*, std::vector<T>& values, std::size_t) {
    if (values.empty()) return;
    json array = json::array();
    for (T& value : values) {
      json inner;
      JsonWriter writer(inner);
      fields(writer, value);
      array.push_back(std::move(inner));
    }
    object_[name] = std::move(array);
  }

 private:
  json& object_;
};

class JsonReader {
 public:
  JsonReader(const json& value, std::string where, Mistakes& mistakes)
      : value_(value), where_(std::move(where)), mistakes_(mistakes) {
    if (!value_.is_object()) complain("", "must be an object");
  }

  /// Call when all members were asked for: what is left over is a mistake.
  void finish() {
    if (!value_.is_object()) return;
    for (const auto& [name, ignored] : value_.items()) {
      if (!known_.contains(name)) complain("/" + shown(name), "is not known here");
    }
  }

  void version(const char* name, std::uint64_t number) {
    const json* found = find(name);
    if (found == nullptr) {
      complain(name_of(name), "is missing");
    } else if (!found->is_number_unsigned() || found->get<std::uint64_t>() != number) {
      complain(name_of(name), "must be " + std::to_string(number) +
                                  ": this was written by another version of Satchel");
    }
  }
  void text(const char* name, const char*, std::string& value, const Shape& shape) {
    const json* found = find(name);
    if (found == nullptr) return;
    const std::string* text = found->get_ptr<const std::string*>();
    if (text == nullptr || !shape.fits(*text))
      return complain(name_of(name), "must be " + shape.expects());
    value = *text;
  }
  void uuid(const char* name, const char*, DomainId& id) {
    const json* found = find(name);
    const std::string* text = found ? found->get_ptr<const std::string*>() : nullptr;
    const auto uuid = text ? Uuid::parse(*text) : std::nullopt;
    if (!uuid) return complain(name_of(name), "must be a UUID");
    id = DomainId(*uuid);
  }
  void accelerator(const char* name, const char* path, Accelerator& value) {
    std::string word;
    text(name, path, word, shape::accelerator);
    if (find(name) == nullptr) complain(name_of(name), "is missing");
    value = word == "kvm" ? Accelerator::kvm : Accelerator::tcg;
  }
  void number(const char* name, const char*, Number& value, Range range, Base = Base::decimal) {
    const json* found = find(name);
    if (found == nullptr) return;
    if (!found->is_number_unsigned() || found->get<std::uint64_t>() < range.least ||
        found->get<std::uint64_t>() > range.most) {
      return complain(name_of(name), "must be a whole number from " + std::to_string(range.least) +
                                         " to " + std::to_string(range.most));
    }
    value = found->get<std::uint64_t>();
  }
  void kib(const char* name, const char* path, Number& value) {
    number(name, path, value, range::kib);
  }
  void flag(const char* name, const char*, bool& value) {
    const json* found = find(name);
    if (found == nullptr) return;
    if (!found->is_boolean() || !found->get<bool>()) {
      return complain(name_of(name), "must be true or left out");
    }
    value = true;
  }
  void state(const char* name, const char*, Switch& value, Spelling) {
    const json* found = find(name);
    if (found == nullptr) return;
    if (!found->is_boolean()) return complain(name_of(name), "must be true or false");
    value = found->get<bool>() ? Switch::on : Switch::off;
  }
  template <class T>
  void part(const char* name, const char*, T& value) {
    if (const json* found = find(name)) read(*found, where_ + name_of(name), value);
  }
  template <class T>
  void part(const char* name, const char*, std::optional<T>& value) {
    if (const json* found = find(name)) read(*found, where_ + name_of(name), value.emplace());
  }
  template <class T>
  void list(const char* name, const char*, std::vector<T>& values, std::size_t most) {
    const json* found = find(name);
    if (found == nullptr) return;
    if (!found->is_array() || found->empty() || found->size() > most) {
      return complain(name_of(name),
                      "must be an array of 1 to " + std::to_string(most) + " objects");
    }
    values.reserve(found->size());
    for (std::size_t i = 0; i < found->size(); ++i) {
      read((*found)[i], where_ + name_of(name) + "/" + std::to_string(i), values.emplace_back());
    }
  }

 private:
  static std::string name_of(const char* name) { return std::string("/") + name; }

  /// A foreign name, cut and stripped so that it can stand in a sentence.
  static std::string shown(const std::string& name) {
    std::string text;
    for (char c : name.substr(0, 40)) text += c >= ' ' && c <= '~' ? c : '?';
    return text;
  }

  template <class T>
  void read(const json& value, std::string where, T& into) {
    JsonReader reader(value, std::move(where), mistakes_);
    fields(reader, into);
    reader.finish();
  }

  const json* find(const char* name) {
    known_.insert(name);
    if (!value_.is_object()) return nullptr;
    const auto found = value_.find(name);
    return found == value_.end() ? nullptr : &*found;
  }

  void complain(const std::string& where, std::string what) {
    mistakes_.push_back({where_ + where, std::move(what)});
  }

  const json& value_;
  std::string where_;
  Mistakes& mistakes_;
  std::set<std::string, std::less<>> known_;
};

/// Parses with limits on depth and refusing a member that stands twice in one object (two readers
/// of the same text could otherwise believe different ones).
Result<json> parse(std::string_view text) {
  if (text.size() > longest_text) return mistake("", "is longer than 1 MiB");
  std::vector<std::set<std::string>> members;
  Mistakes mistakes;
  int depth_seen = 0;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    depth_seen = std::max(depth_seen, depth);
    if (event == json::parse_event_t::object_start) {
      members.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      members.pop_back();
    } else if (event == json::parse_event_t::key && !members.empty() &&
               !members.back().insert(parsed.get<std::string>()).second && mistakes.empty()) {
      mistakes.push_back({"", "has a member twice in one object"});
    }
    return depth <= deepest;  // what is nested deeper is thrown away as it is read
  };
  json value = json::parse(text, watch, /*allow_exceptions=*/false);
  if (value.is_discarded()) return mistake("", "is not JSON");
  if (depth_seen > deepest) mistakes.push_back({"", "is nested too deeply"});
  if (!mistakes.empty()) return tl::unexpected<Mistakes>(std::move(mistakes));
  return value;
}

}  // namespace

std::string write_json(const Description& machine) {
  Description copy =
      machine;  // one schema serves readers and writers, so it asks for a mutable one
  json object;
  JsonWriter writer(object);
  fields(writer, copy);
  return object.dump();
}

Result<Description> read_json(std::string_view text) {
  const Result<json> value = parse(text);
  if (!value) return tl::unexpected<Mistakes>(value.error());
  Mistakes mistakes;
  Description machine;
  JsonReader reader(*value, "", mistakes);
  fields(reader, machine);
  reader.finish();
  if (mistakes.empty()) mistakes = inconsistencies(machine);
  if (!mistakes.empty()) return tl::unexpected<Mistakes>(std::move(mistakes));
  return machine;
}

std::string write_cpu_json(const Cpu& cpu) {
  Cpu copy = cpu;
  json object;
  JsonWriter writer(object);
  fields(writer, copy);
  return object.dump();
}

Result<Cpu> read_cpu_json(std::string_view text) {
  const Result<json> value = parse(text);
  if (!value) return tl::unexpected<Mistakes>(value.error());
  Mistakes mistakes;
  Cpu cpu;
  JsonReader reader(*value, "/cpu", mistakes);
  fields(reader, cpu);
  reader.finish();
  if (!mistakes.empty()) return tl::unexpected<Mistakes>(std::move(mistakes));
  return cpu;
}

}  // namespace satchel::machine
