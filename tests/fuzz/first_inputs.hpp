// What fuzzers begin with: real encodings, in the form that each target takes. One thread at a
// time.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace satchel::fuzz {

class FirstInputs {
 public:
  /// Makes a folder for each target in this one.
  explicit FirstInputs(std::string folder) : folder_(std::move(folder)) {}

  void add(const char* target, const char* name, std::string_view input) const;

 private:
  std::string folder_;
};

/// So many bytes of a number, little-endian.
std::string coded(std::uint64_t number, std::size_t bytes);
std::string coded(std::initializer_list<unsigned> bytes);

void add_memories(const FirstInputs& to);
void add_machines(const FirstInputs& to);
void add_disks(const FirstInputs& to);
void add_words(const FirstInputs& to);

}  // namespace satchel::fuzz
