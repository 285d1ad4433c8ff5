#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "format/capsule_state.hpp"
#include "format/text.hpp"

namespace satchel::format {
namespace {

class Sweep {
 public:
  Sweep(CapsuleDirectory::State& capsule, const std::vector<Sequence>& keep) : capsule_(capsule) {
    for (const auto& slot : capsule.found->slots)
      if (slot.head) keep_all(slot.head->head);
    const auto is_kept = [&](Sequence seq) { return std::ranges::find(keep, seq) != keep.end(); };
    const auto older = capsule.older();
    is_blind_ = std::ranges::any_of(older.unread, is_kept);
    for (const auto& head : older.heads)
      if (is_kept(head.generation.seq)) keep_all(head);
    for (const auto& path : capsule.work->claimed) this->keep(path);
  }

  ByteCount run() {
    // What can't be read now may be whole a moment later, and nobody knows what it needs.
    if (is_blind_) return {};
    forget_heads();
    files_in(capsule_.dir.get(), "");
    for (const auto& name : names_in(capsule_.dir.get(), capsule_.shown())) {
      if (name == "slots") continue;
      const auto directory = open_directory(capsule_.dir.get(), name);
      if (directory)
        files_in(directory->get(), name + "/");
      else if (directory.error() != ENOTDIR && directory.error() != ELOOP)
        throw fault_from_errno(directory.error(), "open", capsule_.shown(name));
    }
    return freed_;
  }

 private:
  void keep(const std::string& path) { kept_.insert(folded(path)); }
  void keep_all(const Head& head) {
    keep(head_path(head.generation.seq));
    for (const auto& object : head.objects) keep(object.path);
  }

  /// A head that is there has all its objects: it goes before them, whenever the power does.
  void forget_heads() {
    auto heads = heads_in(capsule_);
    std::erase_if(heads, [&](Sequence seq) { return kept_.contains(folded(head_path(seq))); });
    capsule_.remove_heads(heads);
  }

  void files_in(int directory, const std::string& prefix) {
    for (const auto& name : names_in(directory, capsule_.shown(prefix))) {
      const std::string path = prefix + name;
      if (path == "log" || kept_.contains(folded(path))) continue;
      struct stat about {};
      if (::fstatat(directory, name.c_str(), &about, AT_SYMLINK_NOFOLLOW) != 0)
        throw fault_from_errno(errno, "examine", capsule_.shown(path));
      if (S_ISDIR(about.st_mode)) continue;
      remove_file(directory, name, capsule_.shown(path));
      freed_ = freed_ + ByteCount(static_cast<std::uint64_t>(about.st_blocks) * 512);
    }
  }

  CapsuleDirectory::State& capsule_;
  std::set<std::string> kept_;
  bool is_blind_ = false;
  ByteCount freed_;
};

}  // namespace

ByteCount CapsuleDirectory::sweep(const std::vector<Sequence>& keep) {
  state_->look();
  state_->require_writable("tidy");
  for (const auto& slot : state_->found->slots)
    if (slot.state != SlotState::empty && !slot.head) return ByteCount(0);
  return state_->work->guard([&] { return Sweep(*state_, keep).run(); });
}

void CapsuleDirectory::append_log(std::string_view line) {
  state_->require_writable("write the log of");
  const std::string shown = state_->shown("log");
  std::string text(line);
  for (auto& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  text += '\n';
  const UniqueFd file =
      or_fault(open_beneath(state_->dir.get(), "log", O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK),
               "write", shown);
  const ssize_t n = ::write(file.get(), text.data(), text.size());
  if (n < 0) throw fault_from_errno(errno, "write", shown);
  if (static_cast<std::size_t>(n) != text.size()) throw fault_from_errno(ENOSPC, "write", shown);
}

}  // namespace satchel::format
