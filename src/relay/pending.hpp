#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>

namespace cib {

// What one side of a connection has sent and the other has not taken yet. Memory is held only while there is
// something: on a connection whose readers keep up there never is.
class Pending {
 public:
  static constexpr std::size_t capacity = 64 * 1024;

  bool empty() const { return begin_ == end_; }
  std::span<const std::byte> bytes() const { return {memory_.get() + begin_, end_ - begin_}; }

  // Copies them; nothing may be pending, and there may be at most `capacity`.
  void keep(std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    memory_ = std::make_unique_for_overwrite<std::byte[]>(capacity);
    std::copy(bytes.begin(), bytes.end(), memory_.get());
    begin_ = 0;
    end_ = bytes.size();
  }

  // The first `count` have been taken.
  void drop(std::size_t count) {
    begin_ += count;
    if (!empty()) return;
    memory_.reset();
    begin_ = end_ = 0;
  }

 private:
  std::unique_ptr<std::byte[]> memory_;
  std::size_t begin_ = 0, end_ = 0;
};

}  // namespace cib
