// What a vCPU wants of the VMM, taken out of struct kvm_run.
#pragma once

#include <linux/kvm.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace halyard {

enum class ExitReason : uint8_t {
  kPio,
  kMmio,
  kHlt,
  kShutdown,
  kSystemEvent,
  kFailEntry,
  kInternalError,
  kStopped,
  kOther,
};

/// As the contract names them.
const char* ExitReasonName(ExitReason reason);

struct Exit {
  ExitReason reason = ExitReason::kOther;
  uint64_t address = 0;
  /// Of one access; a string instruction has several.
  uint8_t size = 0;
  bool is_write = false;
  /// What was written, or as many zeros as a read wants.
  std::vector<uint8_t> data;
  uint64_t detail = 0;

  /// Bytes that an answer must bring.
  size_t answer_bytes() const { return is_write ? 0 : data.size(); }
};

/// The exit that KVM_RUN has left in `run`, a mapping of `run_bytes`.
Exit DecodeExit(kvm_run* run, size_t run_bytes);

/// The exit for a KVM_RUN that failed otherwise than by a signal: `detail` is 2^32 plus the errno.
Exit FailedRun(int error);

/// Puts what was read where KVM takes it from. `data` has the exit's `answer_bytes`.
void StoreAnswer(kvm_run* run, const Exit& exit, std::span<const uint8_t> data);

}  // namespace halyard
