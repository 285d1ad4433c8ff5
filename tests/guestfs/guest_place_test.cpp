#include "sync/guest_place.hpp"

#include <catch2/catch.hpp>

using namespace satchel;
using sync::GuestPlace;
using sync::parse_guest_place;

TEST_CASE("a guest's folder is named in three ways, and written as it was read") {
  using From = GuestPlace::From;
  CHECK(parse_guest_place("/home/ann/Documents").value() ==
        GuestPlace{From::system, "", "", "/home/ann/Documents"});
  CHECK(parse_guest_place("c:/Users/Ann").value() ==
        GuestPlace{From::drive, "C", "", "/Users/Ann"});
  CHECK(parse_guest_place("C:\\Users\\Ann\\").value() ==
        GuestPlace{From::drive, "C", "", "/Users/Ann"});
  CHECK(parse_guest_place("vda/2:/ann").value() ==
        GuestPlace{From::filesystem, "", "vda/2", "/ann"});
  CHECK(parse_guest_place("sda:/").value() == GuestPlace{From::filesystem, "", "sda", "/"});
  for (const char* text : {"/a b/c:/d", "lvm/vg-1/root:/srv", "uuid/9B1C-77F0:/", "D:/"})
    CHECK(to_string(parse_guest_place(text).value()) == text);
}

TEST_CASE("a path that leads elsewhere, or a filesystem of no such form, is refused") {
  for (const char* text :
       {"", "home/ann", "~/x", "/a/../b", "/a/./b", "/a//b", "/a\n", "C:Users", "C:/..", "vda/0:/a",
        "vda/x:/a", "../x:/a", "lvm/vg:/a", "lvm/../a:/b", "uuid/:/a", "-o:/a", "vda/1/2:/a"})
    CHECK_FALSE(parse_guest_place(text).has_value());
  CHECK_FALSE(parse_guest_place("/" + std::string(256, 'x')).has_value());
}
