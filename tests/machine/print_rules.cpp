// Prints the generated part of docs/MACHINE.md.
#include <iostream>

#include "machine/rules_table.hpp"

int main() { std::cout << satchel::machine::tests::rules_table(); }
