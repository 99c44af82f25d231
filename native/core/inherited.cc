#include "inherited.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <bitset>
#include <mutex>

namespace halyard {

namespace {

int SocketOption(int fd, int option) {
  int value = -1;
  socklen_t size = sizeof(value);
  return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

// What a process inherits belongs to it as a whole, so this is shared by its environments.
class Inherited {
 public:
  Inherited() {
    for (uint32_t slot = 0; slot < kMaxInheritedSlots; slot++) {
      const int fd = kFirstInheritedFd + static_cast<int>(slot);
      available_[slot] =
          SocketOption(fd, SO_DOMAIN) == AF_UNIX && SocketOption(fd, SO_TYPE) == SOCK_SEQPACKET;
    }
  }

  UniqueFd Take(uint32_t slot) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (slot >= kMaxInheritedSlots || !available_[slot]) return {};
    available_[slot] = false;
    const int fd = kFirstInheritedFd + static_cast<int>(slot);
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return {};
    return UniqueFd(fd);
  }

 private:
  std::mutex mutex_;
  std::bitset<kMaxInheritedSlots> available_;
};

Inherited& TheInherited() {
  static Inherited inherited;
  return inherited;
}

}  // namespace

void NoteInheritedChannels() { TheInherited(); }

UniqueFd TakeInheritedChannel(uint32_t slot) { return TheInherited().Take(slot); }

}  // namespace halyard
