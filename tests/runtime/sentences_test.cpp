// What a host says of itself as a whole.
#include "runtime/sentences.hpp"

#include <catch2/catch.hpp>

using namespace satchel;

namespace {

HostView host_with(const std::string& operation) {
  HostView host;
  CapsuleView capsule;
  capsule.id = CapsuleId(Uuid::random());
  capsule.name = "debian";
  capsule.state = "running";
  host.capsules.push_back(capsule);
  JobView job;
  job.operation = operation;
  job.capsule = capsule.id;
  host.running_jobs.push_back(job);
  return host;
}

}  // namespace

TEST_CASE("a computer stays awake for what a person waits for, and for nothing else") {
  CHECK(saving_sentence(HostView()).empty());
  for (const auto* operation : {"merge", "fold", "launch", "sync", "export", "format"})
    CHECK(saving_sentence(host_with(operation)).empty());
  for (const auto* operation : {"eject", "checkpoint", "pack"})
    CHECK(saving_sentence(host_with(operation)) == "Saving debian to its device.");
  CHECK(saving_sentence(host_with("save")) ==
        "Saving debian on this computer: its device was pulled out.");
  auto packing = host_with("pack");
  packing.capsules.clear();  // it has none yet
  CHECK(saving_sentence(packing) == "Saving a machine to its device.");
}

TEST_CASE("machines that are saved at once are all named") {
  auto host = host_with("eject");
  auto other = host_with("eject");
  other.capsules.front().name = "web";
  host.capsules.push_back(other.capsules.front());
  host.running_jobs.push_back(other.running_jobs.front());
  CHECK(saving_sentence(host) == "Saving debian, web to its device.");
}
