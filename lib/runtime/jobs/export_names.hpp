// What the files of an export are called, and the text that tells a person what to do with them.
// Pure; any thread.
#pragma once

#include <string>

#include "machine/writing.hpp"

namespace satchel {

struct ExportOrder;
struct ExportSource;

namespace exported {
inline constexpr auto domain_xml = "domain.xml";
inline constexpr auto save_image = "guest.save";
inline constexpr auto nvram = "nvram.fd";
inline constexpr auto readme = "README.txt";
}  // namespace exported

/// README.txt: what each file is and the commands that come next.
std::string readme_of(const ExportOrder& order, const ExportSource& source,
                      const machine::SessionPlan& plan);

}  // namespace satchel
