#include "seccomp-listener.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string_view>
#include <vector>

namespace halyard {

static_assert(sizeof(seccomp_data) == 64, "struct seccomp_data is as the kernel has it");
static_assert(sizeof(seccomp_notif) == 80, "struct seccomp_notif is as the kernel has it");
static_assert(sizeof(seccomp_notif_resp) == 24, "struct seccomp_notif_resp likewise");

namespace {

constexpr size_t kStatusBytes = 512;

/// A structure of the kernel's, which may be larger in a newer one.
template <class T>
class Grown {
 public:
  explicit Grown(size_t kernel_size) : bytes_(std::max(kernel_size, sizeof(T))) {}

  T& operator*() { return *reinterpret_cast<T*>(bytes_.data()); }
  T* operator->() { return &**this; }
  void* data() { return bytes_.data(); }

 private:
  // Allocated memory is aligned for each of them.
  std::vector<std::byte> bytes_;
};

seccomp_notif_sizes KernelSizes() {
  seccomp_notif_sizes sizes = {};
  if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) != 0) sizes = {};
  return sizes;
}

int PollEvents(int fd) {
  pollfd state = {fd, POLLIN, 0};
  return RetryInterrupted([&] { return poll(&state, 1, 0); }) == 1 ? state.revents : 0;
}

std::string ReadStatus(pid_t thread) {
  const std::string path = "/proc/" + std::to_string(thread) + "/status";
  const UniqueFd fd(RetryInterrupted([&] { return open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (!fd.valid()) return {};
  std::string text(kStatusBytes, '\0');
  const ssize_t count = RetryInterrupted([&] { return read(fd.get(), text.data(), text.size()); });
  text.resize(count < 0 ? 0 : static_cast<size_t>(count));
  return text;
}

/// The rest of the line that begins so.
std::string_view FieldOf(std::string_view status, std::string_view name) {
  const size_t at = status.find(name);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = status.substr(at + name.size());
  return rest.substr(0, rest.find('\n'));
}

/// A thread may call itself anything; a trace has only text.
std::string Printable(std::string_view name) {
  std::string text(name);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

void Describe(pid_t thread, RefusedSyscall* refused) {
  const std::string status = ReadStatus(thread);
  refused->thread = Printable(FieldOf(status, "Name:\t"));
  const std::string_view group = FieldOf(status, "\nTgid:\t");
  pid_t process = 0;
  std::from_chars(group.data(), group.data() + group.size(), process);
  refused->is_main_thread = process == thread;
}

Status Answer(int listener, uint64_t id, int error, uint32_t flags) {
  Grown<seccomp_notif_resp> response(KernelSizes().seccomp_notif_resp);
  response->id = id;
  response->error = -error;
  response->flags = flags;
  if (RetryInterrupted(
          [&] { return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, response.data()); }) == 0) {
    return {};
  }
  // Its thread has ended, or a signal took it out of the call.
  if (errno == ENOENT) return {};
  return LastFailure("ioctl");
}

}  // namespace

bool HasRefused(int listener) { return (PollEvents(listener) & POLLIN) != 0; }

bool IsDeserted(int listener) { return (PollEvents(listener) & (POLLIN | POLLHUP)) == POLLHUP; }

Result<std::optional<RefusedSyscall>> TakeRefused(int listener) {
  Grown<seccomp_notif> notification(KernelSizes().seccomp_notif);
  if (RetryInterrupted(
          [&] { return ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, notification.data()); }) != 0) {
    if (errno == ENOENT) return std::optional<RefusedSyscall>();
    return LastFailure("ioctl");
  }
  RefusedSyscall refused;
  refused.id = notification->id;
  refused.audit_arch = notification->data.arch;
  refused.number = static_cast<uint32_t>(notification->data.nr);
  std::copy(std::begin(notification->data.args), std::end(notification->data.args),
            refused.arguments.begin());
  Describe(static_cast<pid_t>(notification->pid), &refused);
  // Otherwise the number may have been another thread's by the time that it was looked at.
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &refused.id) != 0) {
    return std::optional<RefusedSyscall>();
  }
  return std::optional(std::move(refused));
}

Status RefuseWith(int listener, uint64_t id, int error) { return Answer(listener, id, error, 0); }

Status LetPass(int listener, uint64_t id) {
  return Answer(listener, id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

}  // namespace halyard
