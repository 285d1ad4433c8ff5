// The options of a request, an a{sv}: taken one by one, and whatever is unknown or of another type
// refused, all at once. A value; usable from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "bus/values.hpp"

namespace satchel::faces {

class Options {
 public:
  /// `method` is named in the error: "Launch".
  Options(std::string method, Dictionary given)
      : method_(std::move(method)), given_(std::move(given)) {}

  /// The option's value, or `fallback` when it was not given. T is bool, std::string,
  /// std::uint32_t, std::uint64_t or a list of strings.
  template <class T>
  T take(const std::string& name, T fallback) {
    const auto found = given_.find(name);
    if (found == given_.end()) return fallback;
    const auto value = found->second.as<T>();
    given_.erase(found);
    if (!value) mistakes_.push_back(Mistake{name, wanted(fallback)});
    return value.value_or(fallback);
  }

  /// Notes a mistake in an option that was taken.
  void refuse(const std::string& name, std::string why) {
    mistakes_.push_back(Mistake{name, std::move(why)});
  }

  /// Throws Fault (fix_request) that names every option that was wrong or is left over.
  void finish() const;

 private:
  static std::string wanted(bool) { return "must be a boolean"; }
  static std::string wanted(const std::string&) { return "must be a string"; }
  static std::string wanted(std::uint32_t) { return "must be a number (u)"; }
  static std::string wanted(std::uint64_t) { return "must be a number (t)"; }
  static std::string wanted(const std::vector<std::string>&) { return "must be strings (as)"; }

  std::string method_;
  Dictionary given_;
  Mistakes mistakes_;
};

}  // namespace satchel::faces
