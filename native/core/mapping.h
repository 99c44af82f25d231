// One owner for a memory mapping.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "result.h"

namespace halyard {

class Mapping {
 public:
  /// Maps `bytes` bytes of `fd`, shared, readable and writable. ENOMEM also for more than this
  /// architecture can address.
  static Result<Mapping> Shared(int fd, uint64_t bytes, off_t offset) {
    if (bytes > SIZE_MAX) return Failure{ENOMEM, "mmap"};
    const auto size = static_cast<size_t>(bytes);
    void* address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
    if (address == MAP_FAILED) return LastFailure("mmap");
    return Mapping(address, size);
  }

  Mapping() = default;
  Mapping(Mapping&& other) noexcept
      : address_(std::exchange(other.address_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    if (this != &other) {
      Unmap();
      address_ = std::exchange(other.address_, nullptr);
      size_ = std::exchange(other.size_, 0);
    }
    return *this;
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { Unmap(); }

  uint8_t* data() const { return static_cast<uint8_t*>(address_); }
  size_t size() const { return size_; }

 private:
  Mapping(void* address, size_t size) : address_(address), size_(size) {}

  void Unmap() {
    if (address_ != nullptr) munmap(address_, size_);
  }

  void* address_ = nullptr;
  size_t size_ = 0;
};

}  // namespace halyard
