// Inside lib/guestfs only: one folder of a mounted guest as the sync sees it. Few round trips: two
// calls a folder list its names and what they are, one call reads 2 MiB of a file.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "guestfs/mounting.hpp"
#include "sync/guest_tree.hpp"

namespace satchel::guestfs {

class GuestFiles : public sync::GuestTree {
 public:
  GuestFiles(guestfs_h* g, Mounting::Root root);

  void list(const sync::EntrySink& to, std::stop_token stop) override;
  void read(std::span<const std::string> paths, sync::ContentSink& to,
            std::stop_token stop) override;

 private:
  using Names = std::vector<std::string>;
  using Folders = std::vector<sync::Entry>;
  Names names_in(const std::string& folder);
  /// Gives what is no folder; folders go to `ahead`, to be listed before they are given.
  void look_at(const std::string& folder, const Names& names, const sync::EntrySink& to,
               Folders& ahead);
  sync::Entry seen_as(std::string path, const struct guestfs_statns& seen);
  void read_links(const std::string& folder, std::vector<sync::Entry>& links,
                  const sync::EntrySink& to);
  void read_one(const std::string& path, sync::ContentSink& to, const std::stop_token& stop);
  std::string absolute(const std::string& path) const;
  /// Throws when the appliance itself has ended.
  void check_alive() const;

  struct Size {
    std::uint64_t length;
    std::uint64_t allocated;
  };
  guestfs_h* g_;
  Mounting::Root root_;
  bool has_modes_;
  std::uint64_t bytes_of_names_ = 0;             ///< of all paths listed so far
  std::unordered_map<std::string, Size> sizes_;  ///< of the files that were listed
};

}  // namespace satchel::guestfs
