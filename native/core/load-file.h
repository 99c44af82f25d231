// Bulk data from a file into memory, hashed on the way.
#pragma once

#include <cstdint>
#include <string>

#include "result.h"
#include "unique-fd.h"

namespace halyard {

struct FileSize {
  uint64_t bytes = 0;
  bool is_regular = false;
};

struct LoadedFile {
  uint64_t length = 0;
  std::string sha256;
};

Result<UniqueFd> OpenFile(const char* path);
Result<FileSize> SizeOfFile(int fd);

/// Reads at most `max` bytes. What is hashed is what was read, even if a guest writes to the target
/// meanwhile.
Result<LoadedFile> LoadFile(int fd, uint8_t* target, uint64_t max);

}  // namespace halyard
