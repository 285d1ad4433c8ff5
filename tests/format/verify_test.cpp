// Everything that the kept generations need is read from the medium, and what is wrong is named.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <map>

#include "base/fault.hpp"
#include "format/effects.hpp"
#include "format/verify_world.hpp"

using namespace satchel;
using namespace satchel::format;
namespace fs = std::filesystem;

TEST_CASE("of a whole capsule everything is read once, and nothing is written") {
  const VerifyWorld world;
  const auto before = listing(world.folder);
  Effects effects;
  Verification found;
  SECTION("past the cache") {}
  SECTION("where the filesystem refuses O_DIRECT") { effects.refuses_direct = true; }
  effects.during([&] { found = world.verify(); });
  CHECK(found.is_whole());
  CHECK(found.not_needed.empty());
  CHECK(found.newest_whole() == Sequence(3));
  CHECK(found.files == world.files().size());
  std::uint64_t sum = 0;
  for (const auto& path : world.files()) {
    if (path.starts_with("slots/") || path.starts_with("heads/")) continue;
    CHECK(effects.read[world.at(path).string()] == fs::file_size(world.at(path)));
    sum += fs::file_size(world.at(path));
  }
  CHECK(found.read == ByteCount(sum));
  CHECK(effects.log.empty());
  CHECK(listing(world.folder) == before);
}

TEST_CASE("one flipped bit in any file is found, and named by the file and its generations") {
  const VerifyWorld world;
  for (const auto& path : world.files()) {
    const auto size = static_cast<std::size_t>(fs::file_size(world.at(path)));
    for (const auto byte : {std::size_t{0}, size / 3, size / 2, size - 1}) {
      INFO(path << " at " << byte);
      flip(world.at(path), byte);
      expect_named(world, world.verify(), path);
      flip(world.at(path), byte);
    }
  }
  CHECK(world.verify().is_whole());
}

TEST_CASE("the sentence says file, generations and what is wrong") {
  const VerifyWorld world;
  flip(world.at("vda/layer-2.qcow2"), 2);
  CHECK(only_flaw(world.verify())
            .sentence()
            .starts_with("vda/layer-2.qcow2, which generations 3 and 2 need, is not what was "
                         "written: its digest is "));
  flip(world.at("vda/layer-2.qcow2"), 2);
  fs::remove(world.at("memory/3.map"));
  CHECK(only_flaw(world.verify()).sentence() ==
        "memory/3.map, which generation 3 needs, is missing");
}

TEST_CASE("a flip behind many pieces of a large file is found, and its last byte too") {
  const VerifyWorld world;
  auto capsule = world.open();
  const std::string large(9'500'123, 'x');
  world.commit(capsule, world.third, "eject", [&](std::vector<Object>& objects) {
    objects.push_back(put(capsule, "vda/layer-4b.qcow2", large));
  });
  CHECK(world.verify().is_whole());
  for (const auto byte : {std::size_t{4U << 20}, std::size_t{9'000'000}, large.size() - 1}) {
    flip(world.at("vda/layer-4b.qcow2"), byte);
    CHECK(only_flaw(world.verify()).path == "vda/layer-4b.qcow2");
    flip(world.at("vda/layer-4b.qcow2"), byte);
  }
}

TEST_CASE("an object that is missing, too short, too long, or no plain file is named") {
  const VerifyWorld world;
  for (const auto& path : world.files()) {
    INFO(path);
    const auto file = world.at(path);
    const auto whole = contents(file);
    fs::remove(file);
    expect_named(world, world.verify(), path);
    fs::create_symlink("/etc/hostname", file);
    expect_named(world, world.verify(), path);
    fs::remove(file);
    REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
    expect_named(world, world.verify(), path);
    fs::remove(file);
    overwrite(file, whole.substr(0, whole.size() - 1));
    expect_named(world, world.verify(), path);
    overwrite(file, whole + "x");
    if (path != "vda/image.qcow2" && path != "vda/cow.qcow2")
      expect_named(world, world.verify(), path);
    else
      CHECK(world.verify().is_whole());
    overwrite(file, whole);
  }
}

TEST_CASE("several flaws are all told, and the newest whole generation is known") {
  const VerifyWorld world;
  flip(world.at("memory/3.pages"), 7);
  flip(world.at("state/3.nvram"), 0);
  auto found = world.verify();
  CHECK(found.flaws.size() == 2);
  CHECK(found.newest_whole() == Sequence(2));
  flip(world.at("vda/image.qcow2"), 69'999);
  found = world.verify();
  CHECK(found.flaws.size() == 3);
  CHECK_FALSE(found.newest_whole());
}

TEST_CASE("what no head names is told as not needed and is no flaw") {
  const VerifyWorld world;
  for (const auto* path : {"memory/1.pages", "vda/notes.txt", "stray", "heads/9.json"})
    overwrite(world.at(path), "something");
  const auto found = world.verify();
  CHECK(found.is_whole());
  CHECK(found.not_needed ==
        std::vector<std::string>{"heads/9.json", "memory/1.pages", "stray", "vda/notes.txt"});
}

TEST_CASE("a file that a newer generation's merge has changed is as it should be in both") {
  const VerifyWorld world;
  auto capsule = world.open();
  const auto begun = world.commit(capsule, world.third, "merge begun");
  overwrite(world.at("vda/cow.qcow2"), std::string(9'000, 'm'));
  SECTION("cut short: it can't be told, until the merge has come to its end") {
    const auto flaw = only_flaw(world.verify());
    CHECK(flaw.path == "vda/cow.qcow2");
    CHECK(flaw.kind == Flaw::Kind::unsettled);
    CHECK(flaw.generations == std::vector{Sequence(4), Sequence(3), Sequence(2)});
    CHECK(flaw.what.find("a merge that did not come to its end") != std::string::npos);
  }
  SECTION("committed") {
    world.commit(capsule, begun, "merge", [&](std::vector<Object>& objects) {
      std::erase_if(objects, [](const Object& each) {
        return each.path.starts_with("vda/layer") || each.path == "vda/cow.qcow2";
      });
      objects.push_back(capsule.adopt_object("vda/cow.qcow2", {}, {}));
    });
    CHECK(world.verify().is_whole());
    flip(world.at("vda/cow.qcow2"), 8'000);
    const auto flaw = only_flaw(world.verify());
    CHECK(flaw.kind == Flaw::Kind::damaged);
    CHECK(flaw.generations == std::vector{Sequence(5), Sequence(4), Sequence(3), Sequence(2)});
  }
  SECTION("an image file is no concern of a merge's") {
    overwrite(world.at("vda/cow.qcow2"), std::string(5'000, 'c'));
    flip(world.at("vda/image.qcow2"), 5);
    CHECK(only_flaw(world.verify()).kind == Flaw::Kind::damaged);
  }
}

TEST_CASE("a read error is a finding like any other, and the rest is read") {
  const VerifyWorld world;
  Effects effects;
  effects.bad_place = {"vda/image.qcow2", EIO, 65'536};
  flip(world.at("memory/2.pages"), 9);
  Verification found;
  effects.during([&] { found = world.verify(); });
  REQUIRE(found.flaws.size() == 2);
  CHECK(found.flaws[0].path == "memory/2.pages");
  CHECK(found.flaws[1].sentence() ==
        "vda/image.qcow2, which generations 3 and 2 need, can't be read behind byte 65536: "
        "Input/output error");
}

TEST_CASE("a directory that can't be listed is a finding, and the rest is read") {
  const VerifyWorld world;
  flip(world.at("memory/2.pages"), 9);
  for (const std::string directory : {"vda", "heads", "memory"}) {
    INFO(directory);
    Effects effects;
    effects.unlistable = {"/" + directory, directory == "vda" ? EBADMSG : EIO};
    Verification found;
    effects.during([&] { found = world.verify(); });
    CHECK(std::ranges::count(found.flaws, directory, &Flaw::path) == 1);
    CHECK(std::ranges::count(found.flaws, "memory/2.pages", &Flaw::path) == 1);
  }
}

TEST_CASE("a bad place is a finding whatever number the kernel gives") {
  const VerifyWorld world;
  Effects effects;
  effects.bad_place = {"vda/image.qcow2", GENERATE(ENODATA, EREMOTEIO, EILSEQ), 65'536};
  Verification found;
  effects.during([&] { found = world.verify(); });
  CHECK(only_flaw(found).path == "vda/image.qcow2");
}

TEST_CASE("a device on which nothing reads any more is not a damaged one") {
  const VerifyWorld world;
  Effects effects;
  effects.bad_place = {"", EIO, 0};
  const auto fault = fault_of([&] { effects.during([&] { world.verify(); }); });
  CHECK(fault.remedy() == Remedy::replug);
}

TEST_CASE("progress never falls and ends with all of it; a stop ends it") {
  const VerifyWorld world;
  std::vector<Progress> told;
  world.open().verify([&](const Progress& far) { told.push_back(far); }, {});
  REQUIRE_FALSE(told.empty());
  for (std::size_t i = 1; i < told.size(); ++i) CHECK(told[i].done >= told[i - 1].done);
  CHECK(told.back().done == told.back().total);
  CHECK(told.back().step.starts_with("reading vda/"));
  std::stop_source stop;
  const auto fault = fault_of([&] {
    world.open().verify([&](const Progress&) { stop.request_stop(); }, stop.get_token());
  });
  CHECK(fault.remedy() == Remedy::retry);
}

TEST_CASE("progress of files that can't be read to their end still ends with all of it") {
  const VerifyWorld world;
  Effects effects;
  effects.bad_place = {"vda/image.qcow2", EIO, 0};
  std::vector<Progress> told;
  effects.during(
      [&] { world.open().verify([&](const Progress& far) { told.push_back(far); }, {}); });
  CHECK(told.back().done == told.back().total);
}

TEST_CASE("what is committed while it reads is read as well, and judged") {
  const VerifyWorld world;
  auto other = world.open();
  std::optional<SignedHead> fourth;
  const auto found = world.open().verify(
      [&](const Progress&) {
        if (fourth) return;
        fourth = world.commit(other, world.third, "eject");
        other.sweep();  // takes away what only generation 2 named
        flip(world.at("memory/4.map"), 1);
      },
      {});
  const auto flaw = only_flaw(found);
  CHECK(flaw.path == "memory/4.map");
  CHECK(found.kept.front().seq == Sequence(4));
  CHECK(found.newest_whole() == Sequence(3));
}
