// First inputs of what the daemon and its sync worker tell each other.
#include "fuzz/first_inputs.hpp"
#include "sync/worker_words.hpp"

namespace satchel::fuzz {

using namespace sync;

void add_words(const FirstInputs& to) {
  const auto add = [&](const char* name, const WorkNews& news) {
    to.add("worker_words", name, to_json(news));
  };
  add("progress", Progress{"listing", ByteCount(1), ByteCount(2)});
  const Fault fault(Remedy::replug, {"read", "a folder", "it is not there", "Look again."});
  add("fault", fault);
  RuleEnd end;
  end.guest = "/home/jo";
  end.to = "/home/jo/guest";
  end.report.counts.added = 3;
  end.report.lines = {{Mark::added, "a\\x0ab", ""}, {Mark::attention, "c", "a socket"}};
  end.report.durations.starting = 18.5;
  add("rule", end);
  end.fault = fault;
  add("rule_with_fault", end);
  WorkOrder order;
  order.owner = "jo";
  order.state = "/var/lib/satchel-sync/jo";
  order.capsule = "6f0c2f0e-6d5c-4b5e-9a51-0b6f6f2a7a11";
  order.capsule_name = "desk";
  order.disks = {"vda"};
  order.rules = {{"/home/jo", "/home/jo/guest", 30}};
  to.add("worker_words", "order", to_json(order));
}

}  // namespace satchel::fuzz
