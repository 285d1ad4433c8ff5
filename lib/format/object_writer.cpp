#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "format/capsule_state.hpp"
#include "format/text.hpp"
#include "format/writeback.hpp"

namespace satchel::format {
namespace {

bool names(const std::optional<SignedHead>& head, const std::string& folded_path) {
  return head && std::ranges::any_of(head->head.objects, [&](const Object& each) {
           return folded(each.path) == folded_path;
         });
}

}  // namespace

void Writeback::reached(int fd, std::uint64_t offset, const std::string& shown) {
  while (offset - started_ >= window) {
    const bool ok =
        ::sync_file_range(fd, static_cast<off64_t>(started_), window, SYNC_FILE_RANGE_WRITE) == 0 &&
        (started_ == 0 || ::sync_file_range(fd, static_cast<off64_t>(started_ - window), window,
                                            SYNC_FILE_RANGE_WAIT_BEFORE) == 0);
    // It is only for speed: where a filesystem has none of it, the fsync at the end does all.
    if (!ok && errno != EINVAL && errno != ENOSYS && errno != ESPIPE)
      throw fault_from_errno(errno, "write", shown);
    started_ += window;
  }
}

struct ObjectWriter::State {
  std::shared_ptr<Work> work;
  UniqueFd directory;
  std::string path;
  std::string name;
  std::string shown;
  UniqueFd file;
  Hasher hasher;
  Writeback writeback;
  std::uint64_t offset = 0;
  bool ends_in_hole = false;

  void write(std::span<const std::byte> bytes) {
    write_at(file.get(), offset, bytes, shown);
    hasher.add(bytes);
    offset += bytes.size();
    ends_in_hole = ends_in_hole && bytes.empty();
    writeback.reached(file.get(), offset, shown);
  }

  void skip(std::uint64_t n) {
    static constexpr std::array<std::byte, 64U << 10> zeros{};
    offset += n;
    ends_in_hole = ends_in_hole || n > 0;
    while (n > 0) {
      const auto part = std::min<std::uint64_t>(n, zeros.size());
      hasher.add(std::span(zeros).first(static_cast<std::size_t>(part)));
      n -= part;
    }
  }

  Object finish() {
    if (ends_in_hole && ::ftruncate(file.get(), static_cast<off_t>(offset)) != 0)
      throw fault_from_errno(errno, "write", shown);
    sync_file(file.get(), shown);
    file.reset();
    Object object{path, ByteCount(offset), hasher.finish()};
    const std::lock_guard lock(work->mutex);
    work->finished[path] = object;
    return object;
  }
};

ObjectWriter::ObjectWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
ObjectWriter::ObjectWriter(ObjectWriter&&) noexcept = default;

ObjectWriter& ObjectWriter::operator=(ObjectWriter&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}

ObjectWriter::~ObjectWriter() {
  if (!state_ || !state_->file) return;
  state_->file.reset();
  // When it can't be removed the next sweep finds it: no head names it.
  ::unlinkat(state_->directory.get(), state_->name.c_str(), 0);
  const std::lock_guard lock(state_->work->mutex);
  state_->work->claimed.erase(state_->path);
}

void ObjectWriter::write(std::span<const std::byte> bytes) {
  state_->work->guard([&] { state_->write(bytes); });
}

void ObjectWriter::skip(ByteCount n) {
  state_->work->guard([&] { state_->skip(n.value); });
}

ByteCount ObjectWriter::size() const { return ByteCount(state_->offset); }

Object ObjectWriter::finish() {
  return state_->work->guard([&] { return state_->finish(); });
}

ObjectWriter CapsuleDirectory::create_object(std::string path) {
  const std::lock_guard one_at_a_time(state_->creation);
  state_->claim("write", path);
  const Examination& known = state_->found->examination;
  if (names(known.newest, folded(path)) || names(known.previous, folded(path)))
    throw Fault(
        Remedy::report_bug,
        {"write", state_->shown(path), "a generation that must stay restorable names it", {}});
  return state_->work->guard([&] {
    const int directory = state_->directory_for(path);
    auto writer = std::make_unique<ObjectWriter::State>();
    writer->work = state_->work;
    writer->directory.reset(::fcntl(directory, F_DUPFD_CLOEXEC, 0));
    writer->shown = state_->shown(path);
    if (!writer->directory) throw fault_from_errno(errno, "write", writer->shown);
    writer->name = path.substr(path.find('/') + 1);
    remove_file(directory, writer->name, writer->shown);
    writer->file = create_file(directory, writer->name, writer->shown);
    writer->path = std::move(path);
    return ObjectWriter(std::move(writer));
  });
}

}  // namespace satchel::format
