// Memory shared between a guest, its devices and their processes: sealed memfds, mapped MAP_SHARED.
#pragma once

#include <cstdint>
#include <string>

#include "handle-table.h"
#include "mapping.h"
#include "result.h"
#include "unique-fd.h"

namespace halyard {

/// How pages are given back.
enum class DiscardPrimitive : uint8_t { kMadvRemove, kPunchHole };

/// Tries on a page of its own which primitive really frees memory: under qemu-user, MADV_REMOVE
/// says yes and does nothing.
DiscardPrimitive ProbeDiscardPrimitive();

uint64_t PageSize();

class Region final : public Resource {
 public:
  static constexpr Kind kKind = Kind::kRegion;

  Region(UniqueFd fd, Mapping mapping, uint64_t file_offset, DiscardPrimitive primitive)
      : Resource(kKind),
        fd_(std::move(fd)),
        mapping_(std::move(mapping)),
        file_offset_(file_offset),
        primitive_(primitive) {}

  uint8_t* data() const { return mapping_.data(); }
  uint64_t size() const { return mapping_.size(); }
  int fd() const { return fd_.get(); }
  DiscardPrimitive primitive() const { return primitive_; }

  /// Never overflows: true if [offset, offset + length) lies within.
  bool Holds(uint64_t offset, uint64_t length) const {
    return length <= size() && offset <= size() - length;
  }

  /// Gives back one page-aligned range that lies within.
  Status Discard(uint64_t offset, uint64_t length) const;

  /// Bytes that the kernel holds for the memfd.
  Result<uint64_t> Residency() const;

 private:
  UniqueFd fd_;
  Mapping mapping_;
  uint64_t file_offset_;
  DiscardPrimitive primitive_;
};

/// Creates a memfd of this size, sealed against resizing.
Result<UniqueFd> CreateSealedMemfd(const char* name, uint64_t size);

/// What is known of memory that another process sent.
struct SharedFile {
  uint64_t size = 0;
  /// False if its sender could still shrink it: an access beyond the end would then kill this
  /// process.
  bool is_sealed = false;
};
Result<SharedFile> InspectSharedFile(int fd);

}  // namespace halyard
