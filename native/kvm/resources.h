// VMs and vCPUs as JavaScript names them, and what a session keeps for them.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "../binding/call.h"
#include "event-queue.h"
#include "vcpu-thread.h"

namespace halyard {

/// Opened and made when it is first needed.
class KvmState final : public ContractState {
 public:
  explicit KvmState(Addon& addon) : queue_(addon.loop_handles(), Deliver, &addon) {}

  KvmEventQueue& queue() { return queue_; }
  /// The session's descriptor of /dev/kvm.
  Result<int> System();
  void CountRunning(int change) {
    running_ += change;
    queue_.KeepLoopAlive(running_ > 0);
  }

 private:
  static void Deliver(void* addon, KvmEvent event);

  UniqueFd system_;
  KvmEventQueue queue_;
  int running_ = 0;
};

KvmState& KvmOf(Addon& addon);

class Vm final : public Resource {
 public:
  static constexpr Kind kKind = Kind::kVm;

  Vm(UniqueFd fd, uint64_t ring_offset)
      : Resource(kKind), fd_(std::move(fd)), ring_offset_(ring_offset) {}

  int fd() const { return fd_.get(); }
  std::vector<uint32_t>& vcpus() { return vcpus_; }
  /// In-kernel devices, which go with the VM.
  std::vector<uint32_t>& devices() { return devices_; }
  /// Starts or ends the posting of MMIO writes that lie in this range.
  void Post(uint64_t address, uint64_t size, bool is_on);
  /// Queues what the ring holds, then the exit; from a vCPU's thread. False for a posted write,
  /// which nobody answers.
  bool QueueExit(KvmEventQueue& queue, const Mapping& vcpu, QueuedExit exit);

 private:
  UniqueFd fd_;
  uint64_t ring_offset_;
  std::vector<uint32_t> vcpus_;
  std::vector<uint32_t> devices_;
  struct Range {
    uint64_t address;
    uint64_t size;
    bool operator==(const Range&) const = default;
  };

  bool IsPosted(const Exit& exit) const;

  /// Of the ring, of what is posted, and of the order of what is queued.
  std::mutex ring_mutex_;
  std::vector<Range> posted_;
};

/// An in-kernel device of a VM.
class KernelDevice final : public Resource {
 public:
  static constexpr Kind kKind = Kind::kKernelDevice;

  explicit KernelDevice(UniqueFd fd) : Resource(kKind), fd_(std::move(fd)) {}
  int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
};

/// Goes before its VM: `closeVm` closes vCPUs first, and a session closes the newest handle first.
class Vcpu final : public Resource, private ExitSink {
 public:
  static constexpr Kind kKind = Kind::kVcpu;

  Vcpu(Addon& addon, Vm& vm, UniqueFd fd, Mapping run)
      : Resource(kKind),
        addon_(addon),
        vm_(vm),
        queue_(KvmOf(addon).queue()),
        thread_(std::move(fd), std::move(run), *this) {}
  ~Vcpu() override;

  int fd() const { return thread_.fd(); }
  bool running() const { return thread_.running(); }
  /// False while KVM holds the vCPU: its ioctls would wait for the guest.
  bool accessible() const { return !running() || delivered_.has_value(); }

  Status Run();
  void Stop() { thread_.RequestStop(); }
  /// The exit that waits for its answer, once JavaScript was told of it.
  const std::optional<Exit>& delivered() const { return delivered_; }
  void Complete(std::span<const uint8_t> data, bool resume);

  /// True if the exit is this run's: it waits for its answer from now on.
  bool TakeDelivery(const QueuedExit& queued);

 private:
  bool OnExit(const Exit& exit) override;

  Addon& addon_;
  Vm& vm_;
  KvmEventQueue& queue_;
  uint32_t run_ = 0;
  std::optional<Exit> delivered_;
  // Last, so that its thread ends before what it uses.
  VcpuThread thread_;
};

/// /dev/kvm, or -1 after a refusal that says what to do.
int OpenKvmSystem(Call& call);

/// An ioctl that gives nothing back.
napi_value Control(Call& call, int fd, unsigned long request, void* argument);  // NOLINT

/// The vCPU of argument 0, if its ioctls can be made now.
Vcpu* OpenAccessible(Call& call);

/// A function that this architecture's KVM does not have.
napi_value NotOnThisArchitecture(Call& call);

// The contract's parts.
void RegisterVcpu(Addon& addon, Napi::Object target);
void RegisterKvmDevices(Addon& addon, Napi::Object target);

// What each architecture has its own of, in native/arch/.

void RegisterKvmArch(Addon& addon, Napi::Object target);
/// What KVM_CREATE_VM is given.
unsigned long VmType(int system);  // NOLINT(google-runtime-int)
/// The name that KVM_IRQ_LINE has for a global system interrupt.
uint32_t IrqLineOf(uint32_t gsi);

}  // namespace halyard
