// What parsing and validation return: a value, or every mistake found, never an exception.
// Values only; usable from any thread.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace satchel {

/// One mistake in some text. `where` is "line 3, column 7", a JSON pointer or an XPath; may be
/// empty.
struct Mistake {
  std::string where;
  std::string what;
  bool operator==(const Mistake&) const = default;
};

using Mistakes = std::vector<Mistake>;

/// A value, or all mistakes (at least one) that were found while making it.
template <class T>
using Result = tl::expected<T, Mistakes>;

inline tl::unexpected<Mistakes> mistake(std::string where, std::string what) {
  return tl::unexpected<Mistakes>(Mistakes{Mistake{std::move(where), std::move(what)}});
}

/// "where: what; where: what": one line for a log or a Fault's `why`. Printable ASCII, at most
/// 32 mistakes and 200 bytes of each text: what they quote may come from anywhere.
std::string to_string(const Mistakes& mistakes);

}  // namespace satchel
