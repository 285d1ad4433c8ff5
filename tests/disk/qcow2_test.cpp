#include "disk/qcow2.hpp"

#include "disk/files.hpp"

using namespace satchel;
using namespace satchel::disk;

namespace {

const Expected standalone{std::nullopt, mebibytes(100)};
const Expected over_image{"image.qcow2", mebibytes(100)};
const Expected of_people{std::nullopt, mebibytes(100), "qcow2", Expected::Size::exact,
                         Expected::MadeBy::people};

void create(const Files& files, const std::string& options) {
  files.run("qemu-img create -q -f qcow2 " + options + " disk.qcow2 100M");
}

/// What speaks against the file, in one line; empty when QEMU may open it.
std::string against(const Files& files, const Expected& expected = standalone) {
  return to_string(check_qcow2(files.open("disk.qcow2").get(), expected));
}

}  // namespace

TEST_CASE("images of every size and version that qemu-img makes are accepted") {
  const Files files;
  const auto options = GENERATE(
      as<std::string>{}, "", "-o compat=0.10", "-o cluster_size=512", "-o cluster_size=2M",
      "-o preallocation=full", "-o lazy_refcounts=on", "-o refcount_bits=1", "-o refcount_bits=64",
      "-o compression_type=zstd", "-o extended_l2=on", "-o cluster_size=2M,extended_l2=on");
  create(files, options);
  CAPTURE(options);
  CHECK(against(files) == "");
  const auto header = read_qcow2(files.open("disk.qcow2").get());
  REQUIRE(header);
  CHECK(header->virtual_size == mebibytes(100));
  CHECK(header->version == (options == "-o compat=0.10" ? 2 : 3));
}

TEST_CASE("an image that was written to, with snapshots, is accepted; with bitmaps where allowed") {
  const Files files;
  create(files, "");
  files.run("qemu-img snapshot -c before disk.qcow2");
  files.run("qemu-io -f qcow2 -c 'write -P 7 1M 30M' disk.qcow2");
  CHECK(against(files) == "");
  CHECK(read_qcow2(files.open("disk.qcow2").get())->snapshots == 1);
  files.run("qemu-img bitmap --add disk.qcow2 changes");
  CHECK(against(files) == "bitmaps: it has some, which Satchel's files have not");
  CHECK(against(files, of_people) == "");
}

TEST_CASE("a level 1 table may have grown with its disk, and be no larger than that") {
  const Files files;
  create(files, "-o cluster_size=512");
  files.run("qemu-img resize -q disk.qcow2 150M && qemu-img resize -q disk.qcow2 151M");
  auto expected = standalone;
  expected.virtual_size = mebibytes(151);
  CHECK(against(files, expected) == "");
  create(files, "-o cluster_size=512,preallocation=full");
  // l1_size, of which QEMU reads all.
  files.run(
      "printf '\\000\\100\\000\\000' | dd of=disk.qcow2 bs=1 seek=36 conv=notrunc 2>/dev/null");
  CHECK_THAT(against(files), Catch::Contains("too large for the size of the disk"));
  CHECK(against(files, of_people) == "");
}

TEST_CASE("a backing file is accepted only by its exact plain name and format") {
  const Files files;
  create(files, "-u -b image.qcow2 -F qcow2");
  CHECK(against(files, over_image) == "");
  CHECK_THAT(against(files), Catch::Contains("it names \"image.qcow2\", expected is none"));
  create(files, "-u -b " + files.path("image.qcow2") + " -F qcow2");
  CHECK_THAT(against(files, over_image), Catch::Contains("backing file: it names \"/tmp/"));
  create(files, "-u -b image.qcow2 -F raw");
  CHECK_THAT(against(files, over_image), Catch::Contains("its format is \"raw\""));
  create(files, "-u -b 'json:{\"driver\":\"file\",\"filename\":\"/etc/shadow\"}' -F raw");
  CHECK_THAT(against(files, over_image), Catch::Contains("/etc/shadow"));
  create(files, "-o compat=0.10 -u -b image.qcow2 -F qcow2");
  CHECK(against(files, over_image) == "");
  create(files, "");
  CHECK_THAT(against(files, over_image), Catch::Contains("it names none"));
}

TEST_CASE("a backing name that is not text does no harm in the sentence about it") {
  const Files files;
  create(files, "-u -b image.qcow2 -F qcow2");
  const auto at = files.read("disk.qcow2").find("image.qcow2");
  files.patch("disk.qcow2", at, "\x1b[2J\xff\n");
  CHECK_THAT(against(files, over_image), Catch::Contains("?[2J??"));
}

TEST_CASE("an external data file is refused") {
  const Files files;
  create(files, "-o data_file=other.raw");
  CHECK_THAT(against(files), Catch::Contains("its data are in another file"));
  files.patch("disk.qcow2", 79, std::string(1, '\0'));  // without the bit, the name alone
  CHECK_THAT(against(files), Catch::Contains("its data are in another file"));
}

TEST_CASE("an encrypted image is refused") {
  const Files files;
  create(files,
         "--object secret,id=s,data=x -o encrypt.format=luks,encrypt.key-secret=s,"
         "encrypt.iter-time=10");
  CHECK_THAT(against(files), Catch::Contains("it is encrypted"));
}

TEST_CASE("images marked dirty or corrupt, and unknown features, are refused with a sentence") {
  const Files files;
  create(files, "");
  files.patch("disk.qcow2", 79, "\x01");
  CHECK_THAT(against(files), Catch::Contains("dirty bit"));
  files.patch("disk.qcow2", 79, "\x02");
  CHECK_THAT(against(files), Catch::Contains("marked as corrupt"));
  files.patch("disk.qcow2", 79, "\x20");
  CHECK_THAT(against(files), Catch::Contains("features that are not known"));
  files.patch("disk.qcow2", 79, "\x08");  // announces a compression, but it is zlib
  CHECK_THAT(against(files), Catch::Contains("compression"));
}

TEST_CASE("another size than expected is refused") {
  const Files files;
  create(files, "");
  CHECK_THAT(against(files, {std::nullopt, mebibytes(99)}), Catch::Contains("size: the disk has"));
}

TEST_CASE("what lies below a disk that has grown may be smaller, and never larger") {
  const Files files;
  create(files, "");
  auto expected = standalone;
  expected.size = Expected::Size::at_most;
  expected.virtual_size = mebibytes(101);
  CHECK(against(files, expected) == "");
  expected.virtual_size = mebibytes(99);
  CHECK_THAT(against(files, expected), Catch::Contains("expected are at most"));
}

TEST_CASE("tables outside of the file are refused") {
  const Files files;
  create(files, "");
  files.patch("disk.qcow2", 43, "\x01");
  CHECK_THAT(against(files), Catch::Contains("level 1 table: it reaches beyond"));
  create(files, "");
  files.patch("disk.qcow2", 51, "\x01");
  CHECK_THAT(against(files), Catch::Contains("reference counts: it reaches beyond"));
  create(files, "");
  files.patch("disk.qcow2", 36, std::string(4, '\0'));
  CHECK_THAT(against(files), Catch::Contains("level 1 table: it is too small"));
  create(files, "");
  files.patch("disk.qcow2", 60, "\xff\xff\xff\xff");
  CHECK_THAT(against(files), Catch::Contains("snapshots"));
}

TEST_CASE("what is no qcow2 file is refused") {
  const Files files;
  for (const auto& content : {std::string(), std::string("QFI\xfb"), random_bytes(1 << 20, 1),
                              std::string(1 << 20, '\0')}) {
    files.write("disk.qcow2", content);
    CHECK(against(files) != "");
  }
  CHECK(to_string(check_qcow2(UniqueFd(open("/dev/zero", O_RDONLY)).get(), standalone)) ==
        "file: it is not a regular file");
}

TEST_CASE("an image cut off at any place is refused") {
  const Files files;
  create(files, "-u -b image.qcow2 -F qcow2");
  for (auto size = std::filesystem::file_size(files.path("disk.qcow2")); size > 0;) {
    size -= size > 8192 ? 4096 : size > 256 ? 97 : 1;
    std::filesystem::resize_file(files.path("disk.qcow2"), size);
    CHECK(against(files, over_image) != "");
  }
}

TEST_CASE("random damage in an image's first 64 KiB never crashes the check") {
  const Files files;
  const auto options =
      GENERATE(as<std::string>{}, "-o cluster_size=512", "-u -b image.qcow2 -F qcow2");
  create(files, options);
  const auto whole = files.read("disk.qcow2");
  files.write("disk.qcow2", whole);
  std::mt19937 random(1);
  for (int i = 0; i < 1500; ++i) {
    files.patch("disk.qcow2", 0, whole.substr(0, 65536));
    const std::size_t range = i % 3 == 0 ? 65536 : 300;  // most bytes do not matter
    for (unsigned n = 1 + random() % 8; n > 0; --n)
      files.patch("disk.qcow2", 4 + random() % (range - 4),
                  std::string(1, static_cast<char>(random())));
    against(files, over_image);
  }
}
