#include "format/strict_json.hpp"

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <vector>

namespace satchel::format {
namespace {

using Json = nlohmann::json;

// Accepts or refuses what the parser sees, without building anything.
class Inspector : public nlohmann::json_sax<Json> {
 public:
  std::string why;

  bool null() override { return count(); }
  bool boolean(bool) override { return count(); }
  bool number_integer(number_integer_t) override { return count(); }
  bool number_unsigned(number_unsigned_t) override { return count(); }
  bool string(string_t&) override { return count(); }
  bool binary(binary_t&) override { return refuse("binary value"); }
  bool number_float(number_float_t, const string_t& text) override {
    return refuse("number that is no integer of 64 bits: " + text.substr(0, 40));
  }
  bool start_object(std::size_t) override {
    names_.emplace_back();
    return enter();
  }
  bool key(string_t& name) override {
    return names_.back().insert(name).second || refuse("member twice: " + name.substr(0, 80));
  }
  bool end_object() override {
    names_.pop_back();
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override { return enter(); }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) override {
    return refuse("no JSON at byte " + std::to_string(position));
  }

 private:
  bool enter() {
    if (++depth_ > deepest_json)
      return refuse("nested deeper than " + std::to_string(deepest_json));
    return count();
  }
  bool count() {
    return ++values_ <= most_json_values ||
           refuse("more than " + std::to_string(most_json_values) + " values");
  }
  bool refuse(std::string reason) {
    why = std::move(reason);
    return false;
  }

  std::size_t depth_ = 0;
  std::size_t values_ = 0;
  std::vector<std::set<std::string>> names_;
};

}  // namespace

Result<Json> parse_strictly(std::string_view text, std::size_t limit) {
  if (text.size() > limit) return mistake("", "larger than " + std::to_string(limit) + " bytes");
  Inspector inspector;
  if (!Json::sax_parse(text, &inspector)) return mistake("", inspector.why);
  return Json::parse(text);
}

std::string canonical(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::strict);
}

}  // namespace satchel::format
