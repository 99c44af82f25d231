#include "shared-memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace halyard {

namespace {

constexpr uint64_t kBlockBytes =
    512;  // st_blocks counts these, whatever the file system (stat(2)).

Result<uint64_t> AllocatedBytes(int fd) {
  struct stat status = {};
  if (fstat(fd, &status) != 0) return LastFailure("fstat");
  return static_cast<uint64_t>(status.st_blocks) * kBlockBytes;
}

}  // namespace

uint64_t PageSize() {
  static const auto size = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return size;
}

DiscardPrimitive ProbeDiscardPrimitive() {
  Result<UniqueFd> fd = CreateSealedMemfd("halyard-probe", PageSize());
  if (!fd.ok()) return DiscardPrimitive::kMadvRemove;
  Result<Mapping> page = Mapping::Shared(fd.value().get(), PageSize(), 0);
  if (!page.ok()) return DiscardPrimitive::kMadvRemove;
  *static_cast<volatile uint8_t*>(page.value().data()) = 1;
  if (madvise(page.value().data(), PageSize(), MADV_REMOVE) != 0)
    return DiscardPrimitive::kPunchHole;
  const bool reads_zero = *static_cast<volatile uint8_t*>(page.value().data()) == 0;
  return reads_zero ? DiscardPrimitive::kMadvRemove : DiscardPrimitive::kPunchHole;
}

Result<UniqueFd> CreateSealedMemfd(const char* name, uint64_t size) {
  UniqueFd fd(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return LastFailure("memfd_create");
  if (RetryInterrupted([&] { return ftruncate(fd.get(), static_cast<off_t>(size)); }) != 0) {
    return LastFailure("ftruncate");
  }
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return LastFailure("fcntl");
  }
  return fd;
}

Result<SharedFile> InspectSharedFile(int fd) {
  struct stat status = {};
  if (fstat(fd, &status) != 0) return LastFailure("fstat");
  // A descriptor that knows no seals (a pipe, a plain file) gives EINVAL: not sealed.
  const int seals = fcntl(fd, F_GET_SEALS);
  return SharedFile{static_cast<uint64_t>(status.st_size),
                    seals != -1 && (seals & F_SEAL_SHRINK) != 0};
}

Status Region::Discard(uint64_t offset, uint64_t length) const {
  if (length == 0) return {};
  if (primitive_ == DiscardPrimitive::kMadvRemove) {
    if (RetryInterrupted([&] { return madvise(data() + offset, length, MADV_REMOVE); }) != 0) {
      return LastFailure("madvise");
    }
    return {};
  }
  const auto from = static_cast<off_t>(file_offset_ + offset);
  if (RetryInterrupted([&] {
        return fallocate(fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from,
                         static_cast<off_t>(length));
      }) != 0) {
    return LastFailure("fallocate");
  }
  return {};
}

Result<uint64_t> Region::Residency() const { return AllocatedBytes(fd()); }

}  // namespace halyard
