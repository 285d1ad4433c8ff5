// Inside lib/session only: the words that stand for enumerators in the journal.
#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "session/session.hpp"

namespace satchel::journal {

inline constexpr int version = 1;

template <class T, std::size_t n>
using Words = std::array<std::pair<T, std::string_view>, n>;

inline constexpr Words<Phase, 6> phases = {{{Phase::packing, "packing"},
                                            {Phase::launching, "launching"},
                                            {Phase::waking, "waking"},
                                            {Phase::running, "running"},
                                            {Phase::ejecting, "ejecting"},
                                            {Phase::stranded, "stranded"}}};
inline constexpr Words<GuestWas, 3> guests = {{{GuestWas::running, "running"},
                                               {GuestWas::paused, "paused"},
                                               {GuestWas::shut_off, "shut_off"}}};
inline constexpr Words<DefinedBy, 2> definers = {
    {{DefinedBy::us, "us"}, {DefinedBy::user, "user"}}};

template <class T, std::size_t n>
constexpr std::string_view word(const Words<T, n>& words, T value) {
  for (const auto& [each, text] : words)
    if (each == value) return text;
  return {};
}

}  // namespace satchel::journal
