#include <catch2/catch.hpp>

#include "machine/fixtures.hpp"
#include "machine/rules_table.hpp"

using namespace satchel::machine::tests;

TEST_CASE("docs/MACHINE.md lists what is refused and left behind as the code does") {
  const std::string document = read_text(std::string(SATCHEL_SOURCE_DIR) + "/docs/MACHINE.md");
  INFO("put the output of print_machine_rules between its two marks");
  CHECK(document.find(rules_table()) != std::string::npos);
}
