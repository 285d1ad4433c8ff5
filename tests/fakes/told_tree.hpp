// The guest's tree as a test tells it, true or not. One thread.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/fault.hpp"
#include "sync/guest_tree.hpp"

namespace satchel {

class ToldTree : public sync::GuestTree {
 public:
  std::vector<sync::Entry> entries;
  std::map<std::string, std::string> contents;
  std::map<std::string, std::string> broken;  ///< path -> why it can't be read
  std::vector<std::string> asked;             ///< what was read, in order

  sync::Entry& file(const std::string& path, const std::string& content) {
    contents[path] = content;
    return add(path, sync::Kind::file, content.size(), 0644);
  }
  sync::Entry& directory(const std::string& path) {
    return add(path, sync::Kind::directory, 0, 0755);
  }
  sync::Entry& link(const std::string& path, const std::string& target) {
    auto& out = add(path, sync::Kind::link, target.size(), 0777);
    out.link_target = target;
    return out;
  }
  sync::Entry& other(const std::string& path, const std::string& what) {
    auto& out = add(path, sync::Kind::other, 0, 0666);
    out.what = what;
    return out;
  }

  void list(const sync::EntrySink& to, std::stop_token) override {
    for (const auto& each : entries) to(each);
  }
  void read(std::span<const std::string> paths, sync::ContentSink& to, std::stop_token) override {
    for (const auto& path : paths) {
      asked.push_back(path);
      if (const auto why = broken.find(path); why != broken.end()) {
        to.unreadable(path, why->second);
        continue;
      }
      const std::string& content = contents.at(path);
      to.begin(path);
      to.data(std::as_bytes(std::span(content.data(), content.size())));
      to.end();
    }
  }

 private:
  sync::Entry& add(const std::string& path, sync::Kind kind, std::size_t size, std::uint32_t mode) {
    sync::Entry out;
    out.path = path;
    out.kind = kind;
    out.size = out.allocated = ByteCount(size);
    out.mtime = UnixNanos(1'600'000'000'000'000'000);
    out.mode = mode;
    entries.push_back(std::move(out));
    return entries.back();
  }
};

}  // namespace satchel
