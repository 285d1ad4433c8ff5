// What all calls of qemu-img have in common: a chain as one file name, and an end that was no
// success as a Fault. Any thread. Inner header of lib/disk.
#pragma once

#include <string>
#include <vector>

#include "async/process.hpp"
#include "base/fault.hpp"
#include "disk/qemu_img.hpp"

namespace satchel::disk {

/// What qemu-img does, for a Fault's sentence.
struct Deed {
  std::string doing;
  std::string object;
};

Fault failed(const Deed& deed, std::string why, Remedy remedy = Remedy::fix_request);
/// Of a file that may be the device's or this computer's: says so where a disk fails.
Fault of_either_disk(const Fault& fault);

std::string absolute(const std::string& path);

/// The chain, top first, as one file name that qemu-img takes; no header has a say in what is
/// below. Throws Fault.
std::string file_name(const std::vector<SourceFile>& chain, const Deed& deed);

/// Throws Fault, with qemu-img's own words; Remedy::retry when it was stopped.
void demand_success(const ProcessEnd& end, const Deed& deed);

}  // namespace satchel::disk
