// A job from its start to its end on the screen; shared by the commands that start one.
#pragma once

#include <string>

#include "commands.hpp"

namespace satchel::cli {

/// Says what is begun ("Packing 'web' onto /dev/sdb1"), shows the job's progress until it ends;
/// gives its end when it is "done", else throws Refusal.
Task<JobEnd> run_job(Context& context, std::string job, std::string begun);

/// The sentence that closes a command, or its JSON.
void close(Context& context, const std::vector<JobEnd>& ends, bool can_unplug,
           const std::string& sentence);

}  // namespace satchel::cli
