#include "seccomp-filter.h"

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <iterator>

namespace halyard {

namespace {

constexpr unsigned kListenerFlags =
    SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH | SECCOMP_FILTER_FLAG_NEW_LISTENER;

// glibc has no wrapper.
long Seccomp(unsigned operation, unsigned flags, void* argument) {  // NOLINT(google-runtime-int)
  return syscall(SYS_seccomp, operation, flags, argument);
}

constexpr sock_filter Load(size_t offset) {
  return {BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<uint32_t>(offset)};
}

constexpr sock_filter JumpIfEqual(uint32_t value, uint8_t if_true, uint8_t if_false) {
  return {BPF_JMP | BPF_JEQ | BPF_K, if_true, if_false, value};
}

constexpr sock_filter Return(uint32_t action) { return {BPF_RET | BPF_K, 0, 0, action}; }

/// @return a descriptor, if the flags ask for one.
Result<int> Install(std::span<const sock_filter> program, unsigned flags) {
  // The kernel does not write to it, but its type does not say so.
  const sock_fprog filter = {static_cast<uint16_t>(program.size()),
                             const_cast<sock_filter*>(program.data())};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return LastFailure("prctl");
  const auto result = Seccomp(SECCOMP_SET_MODE_FILTER, flags, const_cast<sock_fprog*>(&filter));
  if (result < 0) return LastFailure("seccomp");
  return static_cast<int>(result);
}

}  // namespace

// A kernel that knows the flags looks at the program next, and finds none there.
bool KnowsFilterFlags(unsigned flags) {
  return Seccomp(SECCOMP_SET_MODE_FILTER, flags, nullptr) == -1 && errno == EFAULT;
}

bool KnowsListeners() {
  uint32_t action = SECCOMP_RET_USER_NOTIF;
  return Seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0 && KnowsFilterFlags(kListenerFlags);
}

FilterProgram GuardSignals(std::span<const sock_filter> program, Refusal refusal) {
  // The low word is the whole of a process's number; the policy itself tests the architecture.
  const auto action =
      refusal == Refusal::kNotify ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_KILL_PROCESS;
  const sock_filter guard[] = {
      Load(offsetof(seccomp_data, nr)),
      JumpIfEqual(SYS_tgkill, 0, 3),
      Load(offsetof(seccomp_data, args)),
      JumpIfEqual(static_cast<uint32_t>(getpid()), 1, 0),
      Return(action),
  };
  FilterProgram guarded(std::begin(guard), std::end(guard));
  guarded.insert(guarded.end(), program.begin(), program.end());
  return guarded;
}

Status InstallFilter(std::span<const sock_filter> program) {
  Result<int> thread = Install(program, SECCOMP_FILTER_FLAG_TSYNC);
  if (!thread.ok()) return thread.failure();
  // One that has a filter of its own and could not be given this one.
  if (thread.value() > 0) return Failure{ESRCH, "seccomp"};
  return {};
}

Result<UniqueFd> InstallFilterWithListener(std::span<const sock_filter> program) {
  Result<int> fd = Install(program, kListenerFlags);
  if (!fd.ok()) return fd.failure();
  return UniqueFd(fd.value());
}

}  // namespace halyard
