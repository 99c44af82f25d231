// Whoever supervises a jailed process: what it was refused, and the answers.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "result.h"
#include "unique-fd.h"

namespace halyard {

/// A system call that waits for its answer.
struct RefusedSyscall {
  /// The kernel's name for it.
  uint64_t id = 0;
  uint32_t audit_arch = 0;
  uint32_t number = 0;
  std::array<uint64_t, 6> arguments = {};
  /// The thread that made it, by its name; empty if it cannot be read.
  std::string thread;
  bool is_main_thread = false;
};

/// True if a notification waits: only then does the kernel not make its reader wait.
bool HasRefused(int listener);
/// True if no process is left that could be refused anything.
bool IsDeserted(int listener);

/// The oldest refused system call; nothing if whoever made it has ended meanwhile.
Result<std::optional<RefusedSyscall>> TakeRefused(int listener);

/// Lets the system call fail. That nobody waits any more is no failure.
Status RefuseWith(int listener, uint64_t id, int error);
/// Lets the kernel do it after all: only sound where no argument is a pointer, or in trust.
Status LetPass(int listener, uint64_t id);

}  // namespace halyard
