// The disk files of a random history: what is written to them is lines at their end, so that a
// chain shows the same as a chain of real ones, and a merge changes a file in place as theirs does.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "histories/truth.hpp"

namespace satchel::histories {

/// A small qcow2 file over one named "below"; made by qemu-img once.
std::string overlay_template(const std::filesystem::path& scratch);
std::string text_of(const std::filesystem::path& file);
void put(const std::filesystem::path& file, const std::string& bytes);

/// What was written to the file, in the order in which it was.
std::vector<std::pair<int, int>> lines_in(const std::filesystem::path& file);
std::string in_lines(const View& view);
/// At the file's end, as a guest's writes or a merge go.
void append(const std::filesystem::path& file, const std::string& lines);
/// What the chain shows; throws when a file is not there.
View shown_by(const std::filesystem::path& capsule, const std::vector<std::string>& chain);

}  // namespace satchel::histories
