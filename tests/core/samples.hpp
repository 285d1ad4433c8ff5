// Values to try the state machine with: one state of each kind that behaves differently, one event
// of each kind. Shared by the tests and by the program that writes docs/STATES.md.
#pragma once

#include <string>
#include <vector>

#include "core/react.hpp"

namespace satchel::core::samples {

inline const Insertion first_stay{1};
inline const Insertion second_stay{2};
inline const JobId under_way{7};
inline const JobId next_job{8};

Uuid uuid(std::uint8_t number);
Found found(std::uint8_t generation = 1);
/// As found(), taken out by another host.
Found found_checked_out();
/// A session of another host was taken over.
Found found_needed();
/// This host has seen generation 3 of it, by "bellows".
Found found_lacking(Lacking::How how);
/// Goes on from found(generation).
Session session(Guest guest, std::uint8_t generation = 1);
/// One whose guest lives without its device.
Session on_copies(Guest guest = Guest::runs);
/// found(2) as the session's own launch leaves it.
Found found_checked_out_by_us();
Work work();
Reason reason();

struct NamedState {
  std::string name;
  State state;
};
struct NamedEvent {
  std::string name;
  Event event;
};

std::vector<NamedState> states();
/// Events of every kind about the states above; `under_way` is the job that they name.
std::vector<NamedEvent> events();

}  // namespace satchel::core::samples
