// What is remembered survives what can happen to a file.
#include "sync/state.hpp"

#include "sync/sync_world.hpp"

using namespace satchel;
using namespace satchel::sync;

namespace {

Record record(const std::string& content) {
  const Version version{Kind::file, ByteCount(content.size()), digest_of(content)};
  const Seen seen{
      version, {ByteCount(content.size()), UnixNanos(-5), UnixNanos(7), 9, 0644}, Trust::by_stamp};
  return {seen, seen, version};
}

Record odd_record() {
  Record out = record("x");
  out.guest.trust = Trust::by_digest;
  out.host = Seen{{Kind::link, {}, digest_of("y")}, {}, Trust::by_stamp};
  out.agreed = Version{Kind::directory, {}, Digest{}};
  return out;
}

class Folder : public SyncWorld {
 public:
  UniqueFd fd{::open((root / "state").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  State open(State::Use use = State::Use::written) { return {fd.get(), use}; }
};

}  // namespace

TEST_CASE("what was remembered is read back, the last of each path") {
  Folder folder;
  Record none = record("n");
  none.host.reset();
  none.agreed.reset();
  {
    State state = folder.open();
    CHECK(state.records().empty());
    state.begin("2026-11-22 10.15");
    const RecordChange first[] = {
        {"a", record("1")}, {"gone", record("2")}, {"b\n\xff", odd_record()}};
    state.append(first);
    const RecordChange second[] = {{"a", record("3")}, {"gone", std::nullopt}, {"c", none}};
    state.append(second);
  }
  State state = folder.open();
  CHECK(state.unfinished() == "2026-11-22 10.15");
  CHECK_FALSE(state.was_damaged());
  CHECK(state.records() == Records{{"a", record("3")}, {"b\n\xff", odd_record()}, {"c", none}});
  state.begin("2026-11-22 10.15");
  state.end();
  CHECK_FALSE(folder.has("state/under-way"));
}

TEST_CASE("a batch that did not come to its end does not count, wherever it was cut") {
  Folder folder;
  {
    State state = folder.open();
    state.begin("2026-11-22 10.15");
    state.append(std::vector{RecordChange{"a", record("1")}});
  }
  const auto size = folder.read("state/records").size();
  {
    State state = folder.open();
    state.begin("2026-11-22 10.15");
    state.append(std::vector{RecordChange{"b", record("2")}});
  }
  const auto whole = folder.read("state/records");
  for (std::size_t n = size; n <= whole.size();
       n = n < size + 8 ? n + 1 : std::min(n + 9, whole.size() + (n == whole.size()))) {
    for (const char filler : {'\0', 'x'}) {
      std::ofstream(folder.root / "state/records", std::ios::binary)
          << whole.substr(0, n) << std::string(n % 3 * 20, filler);
      {
        State state = folder.open();
        REQUIRE(state.records().size() == (n == whole.size() ? 2 : 1));
        state.begin("2026-11-22 10.15");
        state.append(std::vector{RecordChange{"c", record("3")}});
      }
      REQUIRE(folder.open().records().contains("c"));
    }
  }
}

TEST_CASE("a damaged state is told, and costs no file") {
  SyncWorld world;
  world.write("guest/a", "guest");
  world.write("guest/b", "same");
  world.run();
  world.write("host/a", "host");
  auto bytes = world.read("state/records");
  bytes[2] = '!';
  std::ofstream(world.root / "state/records", std::ios::binary) << bytes;
  world.run();
  CHECK(world.read("host/a") == "host");
  CHECK(world.last.counts.conflicts == 1);
  CHECK(world.last.counts.already_equal == 1);
  CHECK(world.line("").find("damaged") != std::string::npos);
  CHECK(world.run().nothing_to_do());
}

TEST_CASE("a later version's state is refused, not thrown away") {
  Folder folder;
  std::ofstream(folder.root / "state/records") << "satchel-sync 2\nwhatever";
  CHECK_THROWS_AS(folder.open(), Fault);
  CHECK(folder.read("state/records") == "satchel-sync 2\nwhatever");
}

TEST_CASE("the file is made anew when most of it is no longer of use") {
  Folder folder;
  State state = folder.open();
  state.begin("2026-11-22 10.15");
  std::vector<RecordChange> changes;
  for (int n = 0; n < 3000; ++n) changes.push_back({std::to_string(n), record("1")});
  for (int round = 0; round < 4; ++round) state.append(changes);
  const auto before = fs::file_size(folder.root / "state/records");
  const auto records = state.records();
  state.end();
  CHECK(fs::file_size(folder.root / "state/records") < before / 3);
  CHECK(folder.open(State::Use::read).records() == records);
}
