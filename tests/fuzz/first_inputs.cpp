// Writes what fuzzers begin with: fuzz_first_inputs FOLDER.
#include "fuzz/first_inputs.hpp"

#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "fuzz/promise.hpp"

namespace satchel::fuzz {

void FirstInputs::add(const char* target, const char* name, std::string_view input) const {
  const auto folder = std::filesystem::path(folder_) / target;
  std::filesystem::create_directories(folder);
  std::ofstream out(folder / name, std::ios::binary | std::ios::trunc);
  out << input;
  must(bool(out.flush()), "an input can be written");
}

std::string coded(std::uint64_t number, std::size_t bytes) {
  std::string out;
  for (; bytes > 0; --bytes, number >>= 8) out += static_cast<char>(number & 0xff);
  return out;
}

std::string coded(std::initializer_list<unsigned> bytes) {
  std::string out;
  for (const auto byte : bytes) out += static_cast<char>(byte);
  return out;
}

}  // namespace satchel::fuzz

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "fuzz_first_inputs FOLDER\n";
    return 2;
  }
  try {
    const satchel::fuzz::FirstInputs to(arguments[1]);
    add_memories(to);
    add_machines(to);
    add_disks(to);
    add_words(to);
  } catch (const std::exception& reason) {
    std::cerr << reason.what() << "\n";
    return 1;
  }
  return 0;
}
