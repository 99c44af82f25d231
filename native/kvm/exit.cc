#include "exit.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace halyard {

namespace {

constexpr uint64_t kErrnoBase = uint64_t{1} << 32;

uint8_t* PioData(kvm_run* run) { return reinterpret_cast<uint8_t*>(run) + run->io.data_offset; }

void DecodePio(kvm_run* run, size_t run_bytes, Exit* exit) {
  const size_t length = size_t{run->io.size} * run->io.count;
  exit->address = run->io.port;
  exit->size = run->io.size;
  exit->is_write = run->io.direction == KVM_EXIT_IO_OUT;
  exit->data.resize(length);
  const bool lies_within = length <= run_bytes && run->io.data_offset <= run_bytes - length;
  if (exit->is_write && lies_within) std::memcpy(exit->data.data(), PioData(run), length);
}

void DecodeMmio(const kvm_run* run, Exit* exit) {
  const size_t length = std::min<size_t>(run->mmio.len, sizeof(run->mmio.data));
  exit->address = run->mmio.phys_addr;
  exit->size = static_cast<uint8_t>(length);
  exit->is_write = run->mmio.is_write != 0;
  exit->data.resize(length);
  if (exit->is_write) std::memcpy(exit->data.data(), run->mmio.data, length);
}

}  // namespace

const char* ExitReasonName(ExitReason reason) {
  static constexpr std::array<const char*, 9> kNames = {
      "pio",        "mmio",           "hlt",     "shutdown", "system-event",
      "fail-entry", "internal-error", "stopped", "other"};
  return kNames[static_cast<size_t>(reason)];
}

Exit DecodeExit(kvm_run* run, size_t run_bytes) {
  Exit exit;
  switch (run->exit_reason) {
    case KVM_EXIT_IO:
      exit.reason = ExitReason::kPio;
      DecodePio(run, run_bytes, &exit);
      break;
    case KVM_EXIT_MMIO:
      exit.reason = ExitReason::kMmio;
      DecodeMmio(run, &exit);
      break;
    case KVM_EXIT_HLT: exit.reason = ExitReason::kHlt; break;
    case KVM_EXIT_SHUTDOWN: exit.reason = ExitReason::kShutdown; break;
    case KVM_EXIT_SYSTEM_EVENT:
      exit.reason = ExitReason::kSystemEvent;
      exit.detail = run->system_event.type;
      break;
    case KVM_EXIT_FAIL_ENTRY:
      exit.reason = ExitReason::kFailEntry;
      exit.detail = run->fail_entry.hardware_entry_failure_reason;
      break;
    case KVM_EXIT_INTERNAL_ERROR:
      exit.reason = ExitReason::kInternalError;
      exit.detail = run->internal.suberror;
      break;
    default:
      exit.reason = ExitReason::kOther;
      exit.detail = run->exit_reason;
      break;
  }
  return exit;
}

Exit FailedRun(int error) {
  Exit exit;
  exit.detail = kErrnoBase + static_cast<uint64_t>(error);
  return exit;
}

void StoreAnswer(kvm_run* run, const Exit& exit, std::span<const uint8_t> data) {
  if (data.empty()) return;
  uint8_t* target = exit.reason == ExitReason::kPio ? PioData(run) : run->mmio.data;
  std::memcpy(target, data.data(), data.size());
}

}  // namespace halyard
