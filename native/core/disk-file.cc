#include "disk-file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "sha256.h"

namespace halyard {

namespace {

constexpr size_t kBufferBytes = size_t{256} * 1024;

uint64_t TotalOf(std::span<const double> ranges) {
  uint64_t total = 0;
  for (size_t at = 1; at < ranges.size(); at += 2) total += static_cast<uint64_t>(ranges[at]);
  return total;
}

/// Walks through ranges of memory, some bytes at a time.
class RangeWalk {
 public:
  explicit RangeWalk(std::span<const double> ranges) : ranges_(ranges) {}

  /// Calls `copy(offset in memory, offset in the buffer, length)` for the next `length` bytes.
  template <class F>
  void Next(size_t length, F copy) {
    for (size_t done = 0; done < length;) {
      const auto size = static_cast<uint64_t>(ranges_[at_ + 1]);
      const auto part = static_cast<size_t>(std::min<uint64_t>(length - done, size - inside_));
      if (part > 0) copy(static_cast<uint64_t>(ranges_[at_]) + inside_, done, part);
      done += part;
      inside_ += part;
      if (inside_ == size) {
        at_ += 2;
        inside_ = 0;
      }
    }
  }

 private:
  std::span<const double> ranges_;
  size_t at_ = 0;
  uint64_t inside_ = 0;
};

}  // namespace

Result<OpenedDisk> OpenDisk(const char* path, bool is_read_only) {
  // Without O_NONBLOCK, the open of a pipe would wait for whoever opens its other end.
  const int flags = (is_read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK;
  OpenedDisk disk;
  disk.fd = UniqueFd(RetryInterrupted([&] { return open64(path, flags); }));
  if (!disk.fd.valid()) return LastFailure("openat");
  struct stat64 status = {};
  if (fstat64(disk.fd.get(), &status) != 0) return LastFailure("fstat");
  disk.bytes = static_cast<uint64_t>(status.st_size);
  disk.is_regular = S_ISREG(status.st_mode);
  if (!disk.is_regular) return disk;
  // The lock is the description's and not the process's: it also holds against another disk of this
  // process, and no close of another descriptor of the file drops it (fcntl(2)).
  struct flock lock = {};
  lock.l_type = is_read_only ? F_RDLCK : F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (fcntl(disk.fd.get(), F_OFD_SETLK, &lock) != 0) {
    if (errno != EAGAIN && errno != EACCES) return LastFailure("fcntl");
    disk.is_in_use = true;
  }
  return disk;
}

Result<size_t> DiskFile::ReadSome(uint64_t offset, size_t length) {
  if (!has_file()) {
    std::memset(buffer_.data(), 0, length);
    return length;
  }
  const ssize_t count = RetryInterrupted(
      [&] { return pread64(fd_.get(), buffer_.data(), length, static_cast<off64_t>(offset)); });
  if (count < 0) return LastFailure("pread64");
  return static_cast<size_t>(count);
}

Status DiskFile::WriteAll(uint64_t offset, size_t length) {
  if (!has_file()) return {};
  for (size_t done = 0; done < length;) {
    const ssize_t count = RetryInterrupted([&] {
      return pwrite64(fd_.get(), buffer_.data() + done, length - done,
                      static_cast<off64_t>(offset + done));
    });
    if (count < 0) return LastFailure("pwrite64");
    // A file that takes nothing and says no error would keep this going for ever.
    if (count == 0) return Failure{EIO, "pwrite64"};
    done += static_cast<size_t>(count);
  }
  return {};
}

Result<Moved> DiskFile::ReadInto(uint64_t offset, uint8_t* memory, std::span<const double> ranges) {
  const uint64_t total = TotalOf(ranges);
  buffer_.resize(kBufferBytes);
  RangeWalk walk(ranges);
  Sha256 hash;
  uint64_t moved = 0;
  while (moved < total) {
    const auto wanted = static_cast<size_t>(std::min<uint64_t>(total - moved, kBufferBytes));
    Result<size_t> count = ReadSome(offset + moved, wanted);
    if (!count.ok()) return count.failure();
    if (count.value() == 0) break;
    hash.Update(buffer_.data(), count.value());
    walk.Next(count.value(), [&](uint64_t to, size_t from, size_t length) {
      std::memcpy(memory + to, buffer_.data() + from, length);
    });
    moved += count.value();
  }
  return Moved{moved, hash.Finish()};
}

Result<Moved> DiskFile::WriteFrom(uint64_t offset, const uint8_t* memory,
                                  std::span<const double> ranges) {
  const uint64_t total = TotalOf(ranges);
  buffer_.resize(kBufferBytes);
  RangeWalk walk(ranges);
  Sha256 hash;
  uint64_t moved = 0;
  while (moved < total) {
    const auto count = static_cast<size_t>(std::min<uint64_t>(total - moved, kBufferBytes));
    walk.Next(count, [&](uint64_t from, size_t to, size_t length) {
      std::memcpy(buffer_.data() + to, memory + from, length);
    });
    hash.Update(buffer_.data(), count);
    if (const Status status = WriteAll(offset + moved, count)) return *status;
    moved += count;
  }
  return Moved{moved, hash.Finish()};
}

Status DiskFile::Flush() const {
  if (has_file() && RetryInterrupted([&] { return fdatasync(fd_.get()); }) != 0) {
    return LastFailure("fdatasync");
  }
  return {};
}

Status DiskFile::Discard(uint64_t offset, uint64_t length) const {
  if (!has_file() || length == 0) return {};
  if (RetryInterrupted([&] {
        return fallocate64(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                           static_cast<off64_t>(offset), static_cast<off64_t>(length));
      }) != 0) {
    return LastFailure("fallocate");
  }
  return {};
}

}  // namespace halyard
