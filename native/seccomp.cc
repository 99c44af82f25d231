// The contract Seccomp: what this kernel offers, and the installation of a filter.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "binding/call.h"

namespace halyard {

static_assert(sizeof(sock_filter) == 8, "a cBPF instruction has 8 bytes");

namespace {

// glibc has no wrapper.
long Seccomp(unsigned operation, unsigned flags, void* argument) {  // NOLINT(google-runtime-int)
  return syscall(SYS_seccomp, operation, flags, argument);
}

// A kernel that knows the flags looks at the program next, and finds none there.
bool KnowsFilterFlags(unsigned flags) {
  return Seccomp(SECCOMP_SET_MODE_FILTER, flags, nullptr) == -1 && errno == EFAULT;
}

napi_value Probe(Call& call) {
  uint32_t action = SECCOMP_RET_USER_NOTIF;
  Napi::Object result = Napi::Object::New(call.env);
  result.Set("filter", KnowsFilterFlags(0));
  result.Set("tsync", KnowsFilterFlags(SECCOMP_FILTER_FLAG_TSYNC));
  result.Set("userNotify", Seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0);
  return result;
}

napi_value Install(Call& call) {
  std::span<uint8_t> program;
  if (!call.Bytes(0, "program", &program)) return nullptr;
  const size_t count = program.size() / sizeof(sock_filter);
  if (program.size() % sizeof(sock_filter) != 0 || count == 0 || count > BPF_MAXINSNS) {
    call.Invalid("program must hold 1 to " + std::to_string(BPF_MAXINSNS) +
                 " instructions of 8 bytes, got " + std::to_string(program.size()) + " bytes");
    return nullptr;
  }
  std::vector<sock_filter> instructions(count);
  std::memcpy(instructions.data(), program.data(), program.size());
  sock_fprog filter = {static_cast<uint16_t>(count), instructions.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return call.Fail(LastFailure("prctl")), nullptr;
  const auto result = Seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
  if (result < 0) call.Fail(LastFailure("seccomp"));
  // A positive result is a thread that has a filter of its own and could not be given this one.
  if (result > 0) call.Fail({ESRCH, "seccomp"});
  return nullptr;
}

}  // namespace

void RegisterSeccomp(Addon& addon, Napi::Object target) {
  Export<Probe, 0>(addon, target, "probe");
  Export<Install, 1>(addon, target, "install");
}

}  // namespace halyard
