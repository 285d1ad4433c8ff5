// What history tells of sessions that began and did not end, and when work on the disks is due.
#include "runtime/heads.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "format/verification.hpp"
#include "runtime/sessions.hpp"
#include "runtime/upkeep.hpp"

namespace satchel::test {

namespace {

HostId host(std::uint8_t number) {
  std::array<std::uint8_t, 16> bytes{};
  bytes.back() = number;
  return HostId(Uuid(bytes));
}

Author by(std::uint8_t number) {
  return Author{host(number), "host-" + std::to_string(number), UnixMicros(1)};
}

format::Head packed_by(std::uint8_t number, const std::string& deed = "pack") {
  return first_head(CapsuleId(Uuid::random()), "traveller", by(number), deed);
}

format::Head checked_out(const format::Head& head, std::uint8_t number) {
  auto next = next_head(head, by(number), what::check_out);
  next.checked_out = format::CheckedOut{host(number), by(number).host_name,
                                        SessionId(Uuid::random()), UnixMicros(1)};
  return next;
}

/// A head with one disk of these sizes, in MiB: image, COW file, layers.
format::Head sized(std::vector<std::uint64_t> sizes) {
  auto head = packed_by(1);
  format::Disk disk{"vda", mebibytes(1000), {}};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const auto path = i == 0   ? std::string("vda/image.qcow2")
                      : i == 1 ? std::string("vda/cow.qcow2")
                               : "vda/layer-" + std::to_string(i) + ".qcow2";
    add_object(head, {path, mebibytes(sizes[i]), {}});
    disk.chain.push_back(path);
  }
  head.disks.push_back(std::move(disk));
  return head;
}

using Due = std::vector<core::Upkeep>;

}  // namespace

TEST_CASE("a session that was taken over is told until it ends or its host begins another") {
  auto head = checked_out(packed_by(1), 2);
  CHECK(still_needed_by(head, host(1)).empty());  // held, not taken over
  head = checked_out(head, 3);
  CHECK(still_needed_by(head, host(1)) == "host-2");
  CHECK(still_needed_by(head, host(2)).empty());
  head = next_head(head, by(3), what::eject);
  CHECK(still_needed_by(head, host(1)) == "host-2");
  head = next_head(checked_out(head, 2), by(2), what::eject);
  CHECK(still_needed_by(head, host(1)).empty());
}

TEST_CASE("a machine that was packed while it ran has a session there from the beginning") {
  auto head = packed_by(1, std::string("pack") + what::checked_out);
  head = next_head(checked_out(head, 2), by(2), what::eject);
  CHECK(still_needed_by(head, host(2)) == "host-1");
  CHECK(still_needed_by(head, host(3)) == "host-1");
}

TEST_CASE("history forgets neither who packed nor whose session is still somewhere") {
  auto head = checked_out(checked_out(packed_by(1), 2), 3);
  head = next_head(head, by(3), what::eject);
  for (int i = 0; i < 50; ++i) head = next_head(checked_out(head, 3), by(3), what::eject);
  CHECK(head.history.size() == 32);
  CHECK(head.history.front().generation.seq == Sequence(1));
  CHECK(still_needed_by(head, host(1)) == "host-2");
  CHECK(std::is_sorted(head.history.begin(), head.history.end(), [](const auto& a, const auto& b) {
    return a.generation.seq < b.generation.seq;
  }));
}

TEST_CASE("history does not forget who has changed the files below a session") {
  auto head = checked_out(packed_by(1), 2);
  head = checked_out(head, 3);
  head = next_head(head, by(3), what::eject);
  head = next_head(head, by(3), what::merge_begun);
  head = next_head(head, by(3), what::merge);
  for (int i = 0; i < 100; ++i) {
    head = checked_out(head, 3);
    head = next_head(head, by(3), what::eject);
  }
  CHECK(head.history.size() == 32);
  const auto lines = [&](const std::string& done) {
    return std::ranges::count(head.history, done, &format::Past::what);
  };
  CHECK(lines(what::merge) == 1);
  CHECK(lines(what::merge_begun) == 0);
  // Without a session that is still somewhere, it may go.
  head = next_head(head, by(2), what::eject);
  for (int i = 0; i < 100; ++i) head = next_head(head, by(3), what::checkpoint);
  CHECK(lines(what::merge) == 0);
}

TEST_CASE("history does not forget that a file may be unlike its digest") {
  auto head = sized({100, 10, 1});
  const auto use_it = [&head] {
    for (int session = 0; session < 30; ++session)
      head = next_head(checked_out(head, 2), by(2), what::eject);
  };
  SECTION("a fold that did not come to its end") {
    head = next_head(head, by(1), what::fold_begun);
    use_it();
    CHECK(format::under_way(head, "vda/image.qcow2") == "fold");
    CHECK(format::under_way(head, "vda/cow.qcow2").empty());
    head = next_head(head, by(1), what::fold);
    CHECK(format::under_way(head, "vda/image.qcow2").empty());
  }
  SECTION("a merge, and another that did") {
    head = next_head(head, by(1), what::merge_begun);
    use_it();
    CHECK(format::under_way(head, "vda/cow.qcow2") == "merge");
    head = next_head(head, by(1), what::merge);
    CHECK(format::under_way(head, "vda/cow.qcow2").empty());
  }
  SECTION("a way back, to what may have been merged into since") {
    head = next_head(head, by(1), what::back_to + std::string("5"));
    use_it();
    CHECK(format::under_way(head, "vda/image.qcow2").empty());
    CHECK(format::under_way(head, "vda/cow.qcow2") == "merge");
    CHECK(format::under_way(head, "vda/layer-2.qcow2").empty());
  }
  CHECK(head.history.size() <= 32);
}

TEST_CASE("a device lacks a checkpoint that its past does not know, whatever its number is") {
  const auto out = checked_out(packed_by(1), 1);
  auto checkpoint = next_head(out, by(1), what::checkpoint);
  checkpoint.checked_out = out.checked_out;
  Session session;
  session.session = out.checked_out->session;
  session.base = checkpoint.generation.id;
  session.base_sequence = checkpoint.generation.seq;
  session.checkpointed = checkpoint.generation.seq;
  session.checkpoint = checkpoint.generation.id;
  CHECK_FALSE(lacks_files_of(checkpoint, session));
  CHECK_FALSE(lacks_files_of(next_head(checkpoint, by(1), "merge"), session));
  CHECK(lacks_files_of(out, session));
  // A copy of the device where another computer's launch was undone.
  auto undone = next_head(checked_out(out, 2), by(2), what::launch_undone);
  undone.checked_out = out.checked_out;
  CHECK(undone.generation.seq > checkpoint.generation.seq);
  CHECK(lacks_files_of(undone, session));
  CHECK_FALSE(is_of_session(undone, session));
}

TEST_CASE("a session whose first overlay is its own still lacks no layer of a device") {
  auto older = checked_out(packed_by(1), 1);
  older.disks.push_back({"vda", mebibytes(1), {"vda/image.qcow2", "vda/cow.qcow2"}});
  Session session;
  session.session = older.checked_out->session;
  session.base = GenerationId(Uuid::random());
  session.base_sequence = Sequence(older.generation.seq.value + 1);
  session.disks.push_back({"vda", "/s/vda-1.qcow2", older.disks[0].chain});
  session.disks[0].chain.emplace_back("vda/layer-3.qcow2");
  CHECK(lacks_files_of(older, session));
  // A checkpoint that could not be shipped: all of it is here.
  session.disks[0].frozen.emplace_back("/s/vda.qcow2");
  CHECK_FALSE(lacks_files_of(older, session));
}

TEST_CASE("a merge is due with more layers, or larger ones, than the settings allow") {
  Config config;
  config.fold.cow_limit.amount = 0;
  CHECK(upkeep_due(config, sized({100, 1, 1, 1, 1, 1}), {}, Home::yes).empty());
  CHECK(upkeep_due(config, sized({100, 1, 1, 1, 1, 1, 1}), {}, Home::yes) ==
        Due{core::Upkeep::merge});
  config.merge.size = mebibytes(50);
  CHECK(upkeep_due(config, sized({100, 1, 51}), {}, Home::yes) == Due{core::Upkeep::merge});
  CHECK(upkeep_due(config, sized({100, 99}), {}, Home::yes).empty());
  config.merge = Config::Merge{0, {}, {}};
  CHECK(upkeep_due(config, sized({100, 1, 1, 1, 1, 1, 1, 1}), {}, Home::yes).empty());
}

TEST_CASE("a fold is due at home, by a share or by a size, the capsule's own settings first") {
  Config config;
  const auto head = sized({100, 26});
  CHECK(cow_limit(config, head) == mebibytes(25));
  CHECK(upkeep_due(config, head, {}, Home::yes) == Due{core::Upkeep::fold});
  CHECK(upkeep_due(config, head, {}, Home::no).empty());
  CHECK(upkeep_due(config, sized({100, 25}), {}, Home::yes).empty());
  config.capsules[head.capsule].cow_limit = CowLimit{CowLimit::Of::bytes, mebibytes(30).value};
  CHECK(upkeep_due(config, head, {}, Home::yes).empty());
  config.capsules[head.capsule].cow_limit = CowLimit{CowLimit::Of::images, 0};
  CHECK_FALSE(cow_limit(config, head));
  CHECK(upkeep_due(config, head, {}, Home::yes).empty());
}

}  // namespace satchel::test
