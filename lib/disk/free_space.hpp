// Whether a device keeps what is written to its free space: it is filled with files that have no
// name, whose blocks are each of their own, and all of it is read back.
#pragma once

#include <stop_token>
#include <string>

#include "base/ids.hpp"
#include "base/progress.hpp"

namespace satchel::disk {

/// Gives how much was tried: the free space but for `leave`. `directory`: any on the filesystem;
/// `name`: of the device, for people. Progress counts what is written and what is read. Blocking,
/// for as long as the device takes. Throws Fault: other_device when something else came back than
/// was written, replug when the device is lost, retry when stopped. The space is free afterwards.
ByteCount probe_free_space(int directory, const std::string& name, ByteCount leave,
                           const ProgressSink& progress, std::stop_token stop);

}  // namespace satchel::disk
