// Carries an order out: the appliance started, each rule's folder merged. As the owner; blocking.
#pragma once

#include <stop_token>

#include "channel.hpp"

namespace satchel::worker {

/// Tells each rule's end as it comes; a rule that fails does not keep the others. Throws Fault for
/// what ends the whole.
void carry_out(const sync::WorkOrder& order, Channel& channel, std::stop_token stop);

}  // namespace satchel::worker
