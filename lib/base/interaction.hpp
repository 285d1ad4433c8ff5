// Whether a request may put a question (a password) to the person who made it. A value; usable from
// any thread.
#pragma once

namespace satchel {

enum class Interaction { refused, allowed };

}  // namespace satchel
