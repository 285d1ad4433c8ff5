// Where on the host the guest's things go: the same path, or, where something else stands in the
// way, beside it under a name of its own. Inside lib/sync only; part of one planning.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sync/plan.hpp"

namespace satchel::sync {

class Places {
 public:
  Places(const Situation& situation, Plan& plan) : situation_(situation), plan_(plan) {}

  /// How the guest's directory stands on the host.
  enum class State {
    there,    ///< it is on the host as well
    missing,  ///< not on the host: it is made when something has to go into it
    blocked,  ///< something else is there: a directory beside it is made when it is needed
  };
  /// The walk through the tree, top down, comes to a directory of the guest.
  void enter(std::string path, State state, std::size_t from);
  /// The walk is outside of the directories that `path` is not below.
  void leave_for(std::string_view path);
  enum class Made { planned, before };
  /// The directory entered last has to be there, whether anything goes into it or not.
  Made make_here(Why why);
  /// The host's directory for what is where the walk is now, which is made for it.
  std::string directory_here();

  struct Beside {
    enum class Found { free, there_already, unknown };
    std::string path;
    Found found;
    std::optional<Digest> digest;  ///< of what is there already
  };
  /// A name in the host's directory `above` for what stands at `path` in the guest, beside what is
  /// in its way. `there_already`: it has this very content from before; `unknown`: that is to be
  /// found out first, and has been asked.
  Beside beside(std::string_view above, std::string_view path, std::size_t guest);
  /// As above for one place only; none when something else is there.
  std::optional<Beside> look_at(std::string place, std::size_t guest);

  /// No second thing goes to this place.
  void take(const std::string& place) { taken_.insert(place); }

 private:
  struct Frame {
    std::string path;
    std::string name;  // on the host
    std::string host;
    State state;
    std::size_t from;
  };
  Made require(Frame& frame, std::string_view above, Why why);
  void make(const Frame& frame, Why why);
  Made make_beside(Frame& frame, std::string_view above);
  std::optional<std::size_t> find_host(std::string_view path) const;
  bool is_directory(std::string_view path) const;
  bool is_in_guest(std::string_view path) const;

  const Situation& situation_;
  Plan& plan_;
  std::vector<Frame> frames_;  // from the top down to where the walk is
  std::size_t settled_ = 0;    // so many of them are on the host, and it is known where
  std::set<std::string> taken_;
};

}  // namespace satchel::sync
