// The fake hypervisor's processors: sets of features.
#include <algorithm>

#include "fake_hypervisor.hpp"

namespace satchel::test {

Task<std::string> FakeHypervisor::host_cpu(Accelerator) {
  enter(Call::host_cpu, "host");
  std::string features;
  for (const auto& each : cpu_features)
    features += "<feature name=\"" + each + "\" policy=\"require\" />";
  co_return "<cpu mode=\"custom\" match=\"exact\"><model fallback=\"forbid\">Fake</model>" +
      features + "</cpu>";
}

/// The features that all of them have.
Task<std::string> FakeHypervisor::shared_cpu(std::vector<std::string> cpus, Accelerator) {
  enter(Call::shared_cpu, "hosts");
  if (cpus.empty())
    throw Fault(Remedy::fix_request, Fault::Text{"compare", "processors", "there are none", {}});
  std::string features;
  for (auto at = cpus[0].find("<feature"); at != std::string::npos;
       at = cpus[0].find("<feature", at + 1)) {
    const auto each = cpus[0].substr(at, cpus[0].find("/>", at) + 2 - at);
    if (std::all_of(cpus.begin(), cpus.end(),
                    [&](const auto& cpu) { return cpu.find(each) != std::string::npos; }))
      features += each;
  }
  co_return "<cpu mode=\"custom\" match=\"exact\"><model fallback=\"forbid\">Fake</model>" +
      features + "</cpu>";
}

}  // namespace satchel::test
