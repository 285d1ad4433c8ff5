// Text that came from outside, as people, terminals, the journal and the bus can take it. Any
// thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace satchel {

/// Whether it is UTF-8 (RFC 3629), the only text that D-Bus carries.
bool is_utf8(std::string_view text);

/// With control characters, marks that turn the direction of writing, and what is no UTF-8 as \x0a,
/// and this for a backslash.
std::string escaped(std::string_view text, std::string_view backslash);

/// One line: blanks for what ends lines, the rest as escaped() has it with backslashes as they are,
/// and cut with an ellipsis at `longest` bytes or a little below.
std::string plain_text(std::string text, std::size_t longest);

}  // namespace satchel
