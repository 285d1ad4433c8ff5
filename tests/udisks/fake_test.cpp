#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "fakes/fake_volumes.hpp"
#include "udisks/volumes_contract.hpp"

using namespace satchel;

namespace {

std::filesystem::path fresh_directory() {
  char place[] = "/tmp/satchel-volumes.XXXXXX";
  REQUIRE(mkdtemp(place) != nullptr);
  return place;
}

class FakeStage : public tests::VolumeStage {
 public:
  ~FakeStage() override { std::filesystem::remove_all(root_); }

  boost::asio::io_context& loop() override { return loop_; }
  Volumes& volumes() override { return volumes_; }
  std::string insert(const std::string& label) override {
    Volume volume;
    volume.node = "/dev/fake" + label;
    volume.label = label;
    volume.fs_type = "ext4";
    volume.fs_uuid = Uuid::random().str();
    volume.size = mebibytes(32);
    volumes_.add(volume);
    return volume.node;
  }
  std::string insert_read_only(const std::string& label) override {
    auto volume = *tests::await(loop_, volumes_.find(insert(label)));
    volume.read_only = true;
    volumes_.add(volume);
    return volume.node;
  }
  void open_file(const std::string& node, const std::string&) override {
    volumes_.set_busy(node, 1);
  }
  void close_file(const std::string& node) override { volumes_.set_busy(node, 0); }
  bool ask_removal(const std::string& node) override { return volumes_.ask_removal(node); }
  bool reaches(std::function<bool()> condition) override { return condition(); }

 private:
  boost::asio::io_context loop_;
  std::filesystem::path root_ = fresh_directory();
  fakes::FakeVolumes volumes_{root_};
};

}  // namespace

TEST_CASE("the fake keeps the promises of Volumes") {
  FakeStage stage;
  tests::check_volumes_contract(stage);
}
