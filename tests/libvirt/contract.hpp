// What every Hypervisor keeps to; run against the fake, libvirt's test driver (as far as that goes)
// and real guests under the embedded QEMU driver. Each function is one promise, checked by Catch.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "guest.hpp"
#include "world.hpp"

namespace satchel::test {

struct Subject {
  Loop& loop;
  Hypervisor& hypervisor;
  const std::vector<GuestEvent>& events;
  std::string directory;  ///< for files of the test
  std::string domain_type = "qemu";
};

void a_definition_is_kept_until_it_is_removed(Subject subject);
void a_guest_starts_pauses_resumes_and_ends(Subject subject);
void what_makes_no_sense_is_refused(Subject subject);
void a_saved_guest_is_gone_only_after_the_second_open(Subject subject);
void a_refused_save_leaves_the_guest_as_it_was(Subject subject);
void a_session_leaves_the_persistent_definition_alone(Subject subject);
void files_are_lent_for_one_start(Subject subject);
void overlays_go_on_and_off(Subject subject);
void a_snapshot_leaves_the_guest_running(Subject subject);
void layers_are_merged_below_the_topmost_file(Subject subject);
void a_merge_is_stopped_and_its_chain_stays(Subject subject);
void what_an_earlier_merge_left_at_work_is_ended(Subject subject);
void a_shared_processor_runs_here(Subject subject);

}  // namespace satchel::test
