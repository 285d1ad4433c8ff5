#include "disk/map.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace satchel::disk {

namespace {

using nlohmann::json;

/// Reads the map's text, an extent a line.
class MapReader {
 public:
  MapReader(const Deed& deed, const std::function<void(const Extent&)>& take)
      : deed_(deed), take_(take) {}

  void read(std::string_view piece) {
    for (const char c : piece) {
      if (c == '\n')
        look_at_line();
      else
        line_ += c;
    }
  }

 private:
  void look_at_line() {
    const auto begin = line_.find('{'), end = line_.rfind('}');
    if (begin != line_.npos && end != line_.npos) take(line_.substr(begin, end - begin + 1));
    line_.clear();
  }

  void take(const std::string& text) {
    Extent extent{};
    try {
      const auto found = json::parse(text);
      extent.start = found.at("start").get<std::uint64_t>();
      extent.length = found.at("length").get<std::uint64_t>();
      extent.present = found.at("present").get<bool>();
      extent.zero = found.at("zero").get<bool>();
      extent.data = found.at("data").get<bool>();
      if (found.contains("offset")) extent.place = found["offset"].get<std::uint64_t>();
    } catch (const json::exception&) {
      throw unreadable();
    }
    // One that was lost on the way would be content that is taken for what is below it.
    if (extent.start != next_ || extent.length == 0) throw unreadable();
    next_ += extent.length;
    take_(extent);
  }

  Fault unreadable() const {
    return failed(deed_, "qemu-img's map of it is unreadable", Remedy::report_bug);
  }

  const Deed& deed_;
  const std::function<void(const Extent&)>& take_;
  std::string line_;
  std::uint64_t next_ = 0;
};

}  // namespace

void read_map(const SourceFile& file, const Deed& deed,
              const std::function<void(const Extent&)>& take, std::stop_token stop) {
  MapReader reader(deed, take);
  ProcessRun run;
  run.arguments = {"qemu-img", "map", "-U", "--output=json", file_name({file}, deed)};
  run.on_output = [&reader](std::string_view piece) { reader.read(piece); };
  run.stop = std::move(stop);
  const auto end = run_process(run);
  demand_success(end, deed);
  reader.read("\n");
}

}  // namespace satchel::disk
