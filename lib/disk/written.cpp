#include "disk/written.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "disk/map.hpp"

namespace satchel::disk {

namespace {

std::uint64_t end_of(const Written& part) { return part.offset + part.length; }

/// Of a part, what lies from one offset of the disk to another.
Written cut(const Written& part, std::uint64_t from, std::uint64_t to) {
  auto out = part;
  if (out.as == Written::As::data) out.place += from - part.offset;
  out.offset = from;
  out.length = to - from;
  return out;
}

bool follows(const Written& part, const Written& before) {
  if (part.as != before.as || part.offset != end_of(before)) return false;
  return part.as != Written::As::data ||
         (part.file == before.file && part.place == before.place + before.length);
}

void add(std::vector<Written>& to, const Written& part) {
  if (!to.empty() && follows(part, to.back()))
    to.back().length += part.length;
  else
    to.push_back(part);
}

/// What one file decides of a disk.
struct Decided {
  std::vector<Written> parts;
  std::uint64_t disk_size;
};

Decided decided_by(const std::string& overlay, std::size_t index, const std::stop_token& stop) {
  Decided out{{}, 0};
  const auto take = [&out, index](const Extent& extent) {
    out.disk_size = extent.start + extent.length;
    if (!extent.present) return;
    // A cluster of zeros may have a place too, where something else stands.
    if (extent.zero || !extent.data)
      add(out.parts, {extent.start, extent.length, Written::As::zeros});
    else if (!extent.place)
      add(out.parts, {extent.start, extent.length, Written::As::compressed});
    else
      add(out.parts, {extent.start, extent.length, Written::As::data, index, *extent.place});
  };
  read_map({overlay, "qcow2"}, {"find what was written in", overlay}, take, stop);
  return out;
}

/// All of the newer parts, and of the older ones what those leave free.
std::vector<Written> over(const std::vector<Written>& newer, const std::vector<Written>& older,
                          std::uint64_t disk_size) {
  std::vector<Written> out;
  auto above = newer.begin();
  std::uint64_t at = 0;  // all before it is decided, or nobody decides it
  for (const auto& part : older) {
    const auto end = std::min(end_of(part), disk_size);
    at = std::max(at, part.offset);
    for (;;) {
      for (; above != newer.end() && above->offset <= at; ++above) {
        add(out, *above);
        at = std::max(at, end_of(*above));
      }
      if (at >= end) break;
      const auto free_to = above == newer.end() ? end : std::min(end, above->offset);
      add(out, cut(part, at, free_to));
      at = free_to;
    }
  }
  for (; above != newer.end(); ++above) add(out, *above);
  return out;
}

}  // namespace

std::vector<Written> written_in(const std::vector<std::string>& overlays, std::stop_token stop) {
  std::vector<Written> out;
  auto disk_size = std::numeric_limits<std::uint64_t>::max();
  for (auto index = overlays.size(); index-- > 0;) {
    const auto decided = decided_by(overlays[index], index, stop);
    if (index + 1 == overlays.size()) disk_size = decided.disk_size;
    out = over(out, decided.parts, disk_size);
  }
  return out;
}

}  // namespace satchel::disk
