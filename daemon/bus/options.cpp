#include "daemon/bus/options.hpp"

#include "base/fault.hpp"

namespace satchel::faces {

void Options::finish() const {
  auto mistakes = mistakes_;
  for (const auto& [name, value] : given_) mistakes.push_back(Mistake{name, "no such option"});
  if (mistakes.empty()) return;
  throw Fault(Remedy::fix_request,
              Fault::Text{"accept the options of", method_, to_string(mistakes), {}});
}

}  // namespace satchel::faces
