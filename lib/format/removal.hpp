// What is a capsule, and what of one is to be taken away. Inside lib/format only. Blocking; files
// lane. `top`: a descriptor of ROOT/satchel.
#pragma once

#include <string>

#include "base/ids.hpp"

namespace satchel::format {

/// "satchel/ID"
std::string shown_as(CapsuleId id);

/// Whether the directory of that name has both slots, and its removal has not begun.
bool is_capsule(int top, const std::string& name);

/// Takes away what removals have left that did not come to their end, and what never was a capsule
/// because its making did not. Throws Fault.
void remove_leftovers(int top);

}  // namespace satchel::format
