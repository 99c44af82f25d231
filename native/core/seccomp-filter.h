// Programs of seccomp(2): what the kernel knows of them, and their installation.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <vector>

#include "result.h"
#include "unique-fd.h"

namespace halyard {

static_assert(sizeof(sock_filter) == 8, "a cBPF instruction has 8 bytes");

using FilterProgram = std::vector<sock_filter>;

/// What happens to a system call that the process may not make.
enum class Refusal : uint8_t {
  /// The kernel ends the process; nobody learns why but the audit log.
  kKillProcess,
  /// Whoever holds the listener is asked.
  kNotify,
};

/// Whether the kernel takes filters with these SECCOMP_FILTER_FLAG_*.
bool KnowsFilterFlags(unsigned flags);
/// Whether the kernel can do all that a listener of a whole process needs (Linux 5.7).
bool KnowsListeners();

/// The program, with a test in front of it: tgkill(2), which a clean abort needs, may name no other
/// process. A policy cannot say that, because it is written before there is a process.
FilterProgram GuardSignals(std::span<const sock_filter> program, Refusal refusal);

/// Installs a program for all threads of this process, after PR_SET_NO_NEW_PRIVS.
Status InstallFilter(std::span<const sock_filter> program);
/// The same; whoever holds the descriptor is asked about each system call that is answered with
/// SECCOMP_RET_USER_NOTIF.
Result<UniqueFd> InstallFilterWithListener(std::span<const sock_filter> program);

}  // namespace halyard
