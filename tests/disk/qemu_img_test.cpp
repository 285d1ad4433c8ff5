#include "disk/qemu_img.hpp"

#include <nlohmann/json.hpp>

#include "base/fault.hpp"
#include "disk/files.hpp"
#include "disk/qcow2.hpp"

using namespace satchel;
using namespace satchel::disk;

namespace {

/// A chain of three, as a machine may come with: qcow2 over qcow2 over raw. The header of each
/// names nothing that exists: only the explicit chain may be followed.
std::vector<SourceFile> make_chain(const Files& files) {
  files.write("base", random_bytes(8 << 20, 1));
  files.run("qemu-img create -q -f qcow2 -u -b nowhere -F raw middle 8M");
  files.run("qemu-img create -q -f qcow2 -u -b nowhere -F qcow2 top 8M");
  const auto over = [](const std::string& top, const std::string& below) {
    return R"({"driver":"qcow2","file":{"driver":"file","filename":")" + top + R"("},"backing":)" +
           below + "}";
  };
  const std::string base = R"({"driver":"raw","file":{"driver":"file","filename":"base"}})";
  files.run("qemu-io -c 'write -P 17 1M 2M' 'json:" + over("middle", base) + "'");
  files.run("qemu-io -c 'write -P 34 2M 64k' -c 'write -z 4M 1M' 'json:" +
            over("top", over("middle", base)) + "'");
  return {
      {files.path("top"), "qcow2"}, {files.path("middle"), "qcow2"}, {files.path("base"), "raw"}};
}

std::string raw_content(const Files& files, const std::string& name) {
  files.run("qemu-img convert -f qcow2 -O raw " + name + " content");
  return files.read("content");
}

bool has_process_with(const std::string& argument) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream in(entry.path() / "cmdline");
    const std::string line{std::istreambuf_iterator<char>(in), {}};
    if (line.find(argument) != line.npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a file is not free while a QEMU has it open") {
  const Files files;
  files.run("qemu-img create -q -f qcow2 disk 1M");
  const auto disk = files.path("disk");
  CHECK(is_free(disk));
  files.run("qemu-nbd --fork -t -k $PWD/socket --pid-file=pid -f qcow2 disk >log 2>&1");
  CHECK_FALSE(is_free(disk));
  files.run("kill $(cat pid); while kill -0 $(cat pid) 2>/dev/null; do :; done");
  CHECK(is_free(disk));
  CHECK_FALSE(is_free(files.path("nowhere")));
  files.run(": > begun");
  CHECK(is_free(files.path("begun")));
}

TEST_CASE("a chain of three is flattened to what it shows") {
  const Files files;
  const auto chain = make_chain(files);
  auto expected = files.read("base");
  expected.replace(1 << 20, 2 << 20, std::string(2 << 20, 17));
  expected.replace(2 << 20, 64 << 10, std::string(64 << 10, 34));
  expected.replace(4 << 20, 1 << 20, std::string(1 << 20, '\0'));

  std::vector<Progress> seen;
  flatten(chain, files.path("flat"), [&](const Progress& p) { seen.push_back(p); }, {});
  CHECK((raw_content(files, "flat") == expected));
  CHECK(check_qcow2(files.open("flat").get(), {std::nullopt, mebibytes(8)}).empty());
  REQUIRE_FALSE(seen.empty());
  CHECK(seen.back().done == seen.back().total);
  CHECK(std::filesystem::file_size(files.path("flat")) <= size_when_flat(chain).value);
  CHECK(virtual_size(chain.front()) == mebibytes(8));
}

TEST_CASE("a flattened file has our options and replaces what was there") {
  const Files files;
  files.write("disk", random_bytes(1 << 20, 2));
  files.write("flat", random_bytes(5 << 20, 3));
  flatten({{files.path("disk"), "raw"}}, files.path("flat"), {}, {});
  CHECK((raw_content(files, "flat") == files.read("disk")));
  const auto answer = nlohmann::json::parse(files.run("qemu-img info --output=json flat"));
  CHECK(answer["cluster-size"] == 65536);
  CHECK(answer["format-specific"]["data"]["compat"] == "1.1");
  CHECK(answer["format-specific"]["data"]["lazy-refcounts"] == false);
}

TEST_CASE("a raw disk on which a guest wrote a qcow2 header is copied as raw bytes") {
  const Files files;
  files.write("secret", std::string(1 << 20, 's'));
  files.run("qemu-img create -q -f qcow2 -b secret -F raw disk 1M && truncate -s 2M disk");
  flatten({{files.path("disk"), "raw"}}, files.path("flat"), {}, {});
  CHECK((raw_content(files, "flat") == files.read("disk")));
  CHECK(virtual_size({files.path("disk"), "raw"}) == mebibytes(2));
}

TEST_CASE("paths with quotes, commas, colons and spaces are only paths") {
  const Files files;
  const std::string odd = "a \"b\",c:d\\e=f%g";
  files.write(odd, random_bytes(1 << 20, 4));
  flatten({{files.path(odd), "raw"}}, files.path("nbd:x," + odd + ".qcow2"), {}, {});
  CHECK(files.has("nbd:x," + odd + ".qcow2"));
  create_overlay({files.path("o:" + odd), mebibytes(1), odd + ".qcow2"});
  CHECK(read_qcow2(files.open("o:" + odd).get())->backing_name == odd + ".qcow2");
}

TEST_CASE("a directory that only a descriptor of ours names can be the target") {
  const Files files;
  files.write("disk", random_bytes(1 << 20, 8));
  const auto directory = files.open(".");
  const auto reached =
      "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(directory.get()) + "/";
  flatten({{files.path("disk"), "raw"}}, reached + "flat", {}, {});
  create_overlay({reached + "cow", mebibytes(1), "flat"});
  CHECK((raw_content(files, "flat") == files.read("disk")));
  CHECK(files.has("cow"));
}

TEST_CASE("an overlay is made over a name that does not exist") {
  const Files files;
  create_overlay({files.path("cow.qcow2"), mebibytes(30), "image.qcow2"});
  CHECK(check_qcow2(files.open("cow.qcow2").get(), {"image.qcow2", mebibytes(30)}).empty());
  create_overlay({files.path("alone.qcow2"), mebibytes(30), std::nullopt});
  CHECK(check_qcow2(files.open("alone.qcow2").get(), {std::nullopt, mebibytes(30)}).empty());
  CHECK(virtual_size({files.path("cow.qcow2"), "qcow2"}) == mebibytes(30));
}

TEST_CASE("a stop midway ends the copy and leaves no process") {
  const Files files;
  files.run("head -c 64M /dev/urandom > disk");
  std::stop_source stop;
  const ProgressSink stopping = [&](const Progress&) { stop.request_stop(); };
  try {
    flatten({{files.path("disk"), "raw"}}, files.path("flat"), stopping, stop.get_token());
    FAIL("it was not stopped");
  } catch (const Fault& fault) {
    CHECK(fault.remedy() == Remedy::retry);
    CHECK(fault.text().why == "it was stopped");
  }
  CHECK_FALSE(has_process_with(files.path("flat")));
}

TEST_CASE("qemu-img's own words are the reason of a fault") {
  const Files files;
  CHECK_THROWS_WITH(virtual_size({files.path("absent"), "qcow2"}),
                    Catch::Contains("No such file or directory"));
  files.write("noise", random_bytes(1 << 20, 6));
  CHECK_THROWS_WITH(size_when_flat({{files.path("noise"), "qcow2"}}),
                    Catch::Contains("not in qcow2 format"));
  CHECK_THROWS_WITH(flatten({{files.path("noise"), "raw"}, {files.path("noise"), "raw"}},
                            files.path("flat"), {}, {}),
                    Catch::Contains("can't have a file below it"));
  CHECK_THROWS_AS(flatten({}, files.path("flat"), {}, {}), Fault);
  CHECK_THROWS_AS(flatten({{files.path("noise"), "raw"}}, files.path("no/dir/flat"), {}, {}),
                  Fault);
}

TEST_CASE("what a compressed overlay takes where nothing is compressed is told") {
  const Files files;
  create_overlay({files.path("below"), mebibytes(30), std::nullopt});
  create_overlay({files.path("overlay"), mebibytes(30), "below"});
  files.run("qemu-io -f qcow2 -c 'write -P 7 0 5M' -c 'write -z 8M 1M' overlay");
  compress_overlay(files.path("overlay"), files.path("layer"), {});
  REQUIRE(std::filesystem::file_size(files.path("layer")) < 1U << 20);
  CHECK(data_in({files.path("layer"), "qcow2"}, {}) == mebibytes(5));
  CHECK(data_in({files.path("overlay"), "qcow2"}, {}) == mebibytes(5));
}

TEST_CASE("a damaged file is found, and one without structure is not judged") {
  const Files files;
  create_overlay({files.path("disk"), mebibytes(30), std::nullopt});
  files.run("qemu-io -f qcow2 -c 'write -P 7 0 5M' disk");
  check({files.path("disk"), "qcow2"});
  files.write("raw", "no structure");
  check({files.path("raw"), "raw"});
  files.patch("disk", 2 * 65536, std::string(64, '\x7f'));  // the first reference counts
  CHECK_THROWS_WITH(check({files.path("disk"), "qcow2"}), Catch::Contains("damaged"));
}

TEST_CASE("a file whose content reaches beyond its end is not whole") {
  const Files files;
  files.run("head -c 4M /dev/urandom > disk");
  for (const std::string format : {"qcow2", "vmdk", "vdi"}) {
    files.run("qemu-img convert -f raw -O " + format + " disk whole");
    check_whole({files.path("whole"), format});
    files.run("truncate -s -1M whole");
    CHECK_THROWS_WITH(check_whole({files.path("whole"), format}), Catch::Contains("cut off"));
  }
  create_overlay({files.path("empty"), mebibytes(30), std::nullopt});
  check_whole({files.path("empty"), "qcow2"});
}
