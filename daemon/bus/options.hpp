// The options of a request, an a{sv}: taken one by one, and whatever is unknown or of another type
// refused, all at once. A value; usable from any thread.
#pragma once

#include <string>

#include "base/result.hpp"
#include "bus/values.hpp"

namespace satchel::faces {

class Options {
 public:
  /// `method` is named in the error: "Launch".
  Options(std::string method, Dictionary given)
      : method_(std::move(method)), given_(std::move(given)) {}

  /// The option's value, or `fallback` when it was not given. T is bool or std::string.
  template <class T>
  T take(const std::string& name, T fallback) {
    const auto found = given_.find(name);
    if (found == given_.end()) return fallback;
    const auto value = found->second.as<T>();
    given_.erase(found);
    if (!value) mistakes_.push_back(Mistake{name, wanted(fallback)});
    return value.value_or(fallback);
  }

  /// Throws Fault (fix_request) that names every option that was wrong or is left over.
  void finish() const;

 private:
  static std::string wanted(bool) { return "must be a boolean"; }
  static std::string wanted(const std::string&) { return "must be a string"; }

  std::string method_;
  Dictionary given_;
  Mistakes mistakes_;
};

}  // namespace satchel::faces
