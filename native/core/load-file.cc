#include "load-file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "sha256.h"

namespace halyard {

Result<UniqueFd> OpenFile(const char* path) {
  UniqueFd fd(RetryInterrupted([&] { return open(path, O_RDONLY | O_CLOEXEC); }));
  if (!fd.valid()) return LastFailure("openat");
  return fd;
}

Result<FileSize> SizeOfFile(int fd) {
  struct stat status = {};
  if (fstat(fd, &status) != 0) return LastFailure("fstat");
  return FileSize{static_cast<uint64_t>(status.st_size), S_ISREG(status.st_mode)};
}

Result<LoadedFile> LoadFile(int fd, uint8_t* target, uint64_t max) {
  constexpr uint64_t kChunkBytes = uint64_t{256} * 1024;
  std::vector<uint8_t> chunk(std::min(max, kChunkBytes));
  Sha256 hash;
  uint64_t length = 0;
  while (length < max) {
    const size_t wanted = std::min<uint64_t>(max - length, chunk.size());
    const ssize_t count = RetryInterrupted([&] { return read(fd, chunk.data(), wanted); });
    if (count < 0) return LastFailure("read");
    if (count == 0) break;
    hash.Update(chunk.data(), static_cast<size_t>(count));
    std::memcpy(target + length, chunk.data(), static_cast<size_t>(count));
    length += static_cast<uint64_t>(count);
  }
  return LoadedFile{length, hash.Finish()};
}

}  // namespace halyard
