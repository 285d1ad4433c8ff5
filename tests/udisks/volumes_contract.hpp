// What every Volumes promises, checked against the fake and against the real UDisks2.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>

#include "ports/volumes.hpp"

namespace satchel::tests {

/// Runs the loop until the task has ended; gives its result or throws what it threw.
template <class T>
T await(boost::asio::io_context& loop, Task<T> task) {
  std::exception_ptr failure;
  bool ended = false;
  std::conditional_t<std::is_void_v<T>, std::optional<int>, std::optional<T>> result;
  if constexpr (std::is_void_v<T>)
    boost::asio::co_spawn(loop, std::move(task), [&](std::exception_ptr error) {
      failure = error;
      ended = true;
    });
  else
    boost::asio::co_spawn(loop, std::move(task), [&](std::exception_ptr error, T value) {
      failure = error;
      if (!error) result = std::move(value);
      ended = true;
    });
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!ended && std::chrono::steady_clock::now() < deadline) {
    loop.restart();
    loop.run_one_until(deadline);
  }
  if (!ended) throw std::runtime_error("the task did not end within its deadline");
  if (failure) std::rethrow_exception(failure);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// A place where a test can plug volumes in.
class VolumeStage {
 public:
  virtual ~VolumeStage() = default;
  virtual boost::asio::io_context& loop() = 0;
  virtual Volumes& volumes() = 0;
  /// Plugs a volume in that holds an empty ext4 filesystem with this label; gives its node.
  virtual std::string insert(const std::string& label) = 0;
  virtual std::string insert_read_only(const std::string& label) = 0;
  /// Keeps a file open on the mounted volume, or lets go of it.
  virtual void open_file(const std::string& node, const std::string& mount_point) = 0;
  virtual void close_file(const std::string& node) = 0;
  /// Somebody else asks to unmount it; gives whether that worked.
  virtual bool ask_removal(const std::string& node) = 0;
  virtual bool reaches(std::function<bool()> condition) = 0;
};

void check_volumes_contract(VolumeStage& stage);

}  // namespace satchel::tests
