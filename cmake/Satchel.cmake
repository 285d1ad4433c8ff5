# How every library and test of this tree is declared.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd>=252)
pkg_check_modules(UDEV REQUIRED IMPORTED_TARGET libudev)
pkg_check_modules(LIBVIRT REQUIRED IMPORTED_TARGET libvirt>=9.0 libvirt-qemu)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(NBD REQUIRED IMPORTED_TARGET libnbd>=1.14)
pkg_check_modules(PUGIXML REQUIRED IMPORTED_TARGET pugixml)
pkg_check_modules(SPDLOG REQUIRED IMPORTED_TARGET spdlog)
pkg_check_modules(OSINFO REQUIRED IMPORTED_TARGET libosinfo-1.0)
pkg_check_modules(YAML_CPP REQUIRED IMPORTED_TARGET yaml-cpp)
pkg_check_modules(GUESTFS REQUIRED IMPORTED_TARGET libguestfs)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(tl-expected REQUIRED)
find_package(CLI11 REQUIRED)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

option(SATCHEL_SANITIZE "Build with AddressSanitizer and UndefinedBehaviorSanitizer" OFF)
option(SATCHEL_FUZZ "Build for libFuzzer, with both sanitizers; needs clang (tests/fuzz/run)" OFF)

add_library(satchel_options INTERFACE)
target_compile_options(satchel_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow
                       -Wnon-virtual-dtor -Wold-style-cast -fstack-protector-strong)
# GCC 12 takes a coroutine frame's own operator new and delete for a mismatched pair, and, when it
# optimises, an empty std::optional inside a std::variant for something uninitialised.
target_compile_options(satchel_options INTERFACE -Wno-mismatched-new-delete
                                                 -Wno-maybe-uninitialized)
target_compile_definitions(satchel_options INTERFACE _FILE_OFFSET_BITS=64
                           SATCHEL_VERSION="${PROJECT_VERSION}")
target_link_options(satchel_options INTERFACE -Wl,-z,relro,-z,now)
if(SATCHEL_SANITIZE)
  target_compile_options(satchel_options INTERFACE -fsanitize=address,undefined
                         -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  target_link_options(satchel_options INTERFACE -fsanitize=address,undefined)
endif()
if(SATCHEL_FUZZ)
  target_compile_options(satchel_options INTERFACE -fsanitize=fuzzer-no-link,address,undefined
                         -fno-omit-frame-pointer -fno-sanitize-recover=undefined
                         -Wno-unknown-warning-option)
  target_link_options(satchel_options INTERFACE -fsanitize=address,undefined)
endif()

# satchel_library(NAME SOURCES a.cpp … [LINK other_targets …])
# Makes the static library satchel_NAME; its headers are included as "NAME/x.hpp".
function(satchel_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(satchel_${name} STATIC ${ARG_SOURCES})
  target_include_directories(satchel_${name} PUBLIC ${PROJECT_SOURCE_DIR}/lib)
  target_link_libraries(satchel_${name} PUBLIC satchel_options tl::expected ${ARG_LINK})
endfunction()

# satchel_test(NAME SOURCES a.cpp … [LINK targets …] [WORLD])
# One Catch2 executable test_NAME, which CTest runs as one test named NAME; WORLD: in a private world
# (tests/world/enter), for what needs root, udevd, UDisks2, loop devices or libvirt's QEMU driver.
function(satchel_test name)
  cmake_parse_arguments(ARG "WORLD" "" "SOURCES;LINK" ${ARGN})
  add_executable(test_${name} ${ARG_SOURCES})
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(test_${name} PRIVATE satchel_options satchel_catch_main ${ARG_LINK})
  target_compile_definitions(test_${name}
                             PRIVATE SATCHEL_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  if(ARG_WORLD)
    add_test(NAME ${name} COMMAND ${PROJECT_SOURCE_DIR}/tests/world/enter $<TARGET_FILE:test_${name}>)
    set_tests_properties(${name} PROPERTIES LABELS scenario TIMEOUT 300 SKIP_RETURN_CODE 77
                         ENVIRONMENT "SATCHEL_GUEST=${PROJECT_BINARY_DIR}/guest")
  else()
    add_test(NAME ${name} COMMAND test_${name})
  endif()
endfunction()
