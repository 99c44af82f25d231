// A raw disk image, or none: bulk data between it and guest memory, hashed on the way.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "handle-table.h"
#include "result.h"
#include "unique-fd.h"

namespace halyard {

/// What one transfer did.
struct Moved {
  uint64_t length = 0;
  std::string sha256;
};

class DiskFile final : public Resource {
 public:
  static constexpr Kind kKind = Kind::kDisk;

  DiskFile(UniqueFd fd, uint64_t size, bool is_read_only)
      : Resource(kKind), fd_(std::move(fd)), size_(size), is_read_only_(is_read_only) {}

  /// Without a file: reads give zeros, writes are dropped.
  explicit DiskFile(uint64_t size) : DiskFile(UniqueFd(), size, false) {}

  uint64_t size() const { return size_; }
  bool is_read_only() const { return is_read_only_; }

  /// Never overflows: true if [offset, offset + length) lies within.
  bool Holds(uint64_t offset, uint64_t length) const {
    return length <= size_ && offset <= size_ - length;
  }

  /// `ranges` are pairs of start and length that lie in `memory`. The transfer must lie within the
  /// disk.
  Result<Moved> ReadInto(uint64_t offset, uint8_t* memory, std::span<const double> ranges);
  Result<Moved> WriteFrom(uint64_t offset, const uint8_t* memory, std::span<const double> ranges);
  Status Flush() const;
  Status Discard(uint64_t offset, uint64_t length) const;

 private:
  bool has_file() const { return fd_.valid(); }
  /// Fills the buffer's first bytes: fewer at the end of the file.
  Result<size_t> ReadSome(uint64_t offset, size_t length);
  Status WriteAll(uint64_t offset, size_t length);

  UniqueFd fd_;
  uint64_t size_;
  bool is_read_only_;
  /// What is hashed is what is moved, even if the guest writes to its memory meanwhile: so data
  /// goes through here, in parts that stay in the processor's cache.
  std::vector<uint8_t> buffer_;
};

/// A file that was opened as a disk.
struct OpenedDisk {
  UniqueFd fd;
  uint64_t bytes = 0;
  bool is_regular = false;
  /// Someone else has the file open as a disk, and one of the two would write.
  bool is_in_use = false;
};

/// Opens and locks a file.
Result<OpenedDisk> OpenDisk(const char* path, bool is_read_only);

}  // namespace halyard
