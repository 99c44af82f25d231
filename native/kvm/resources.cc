#include "resources.h"

#include <fcntl.h>

#include <algorithm>
#include <cstring>

namespace halyard {

namespace {

void EmitExit(Addon& addon, const QueuedExit& queued) {
  const Napi::Env env(addon.env());
  const Exit& exit = queued.exit;
  addon.Emit<7>(Event::kKvmExit, [&](napi_value* argv) {
    Napi::Uint8Array data = Napi::Uint8Array::New(env, exit.data.size());
    if (!exit.data.empty()) std::memcpy(data.Data(), exit.data.data(), exit.data.size());
    argv[0] = Napi::Number::New(env, queued.vcpu);
    argv[1] = Napi::String::New(env, ExitReasonName(exit.reason));
    argv[2] = Napi::Number::New(env, static_cast<double>(exit.address));
    argv[3] = Napi::Number::New(env, exit.size);
    argv[4] = Napi::Boolean::New(env, exit.is_write);
    argv[5] = data;
    argv[6] = Napi::BigInt::New(env, exit.detail);
  });
}

void EmitWrite(Addon& addon, const QueuedWrite& queued) {
  const Napi::Env env(addon.env());
  const CoalescedWrite& write = queued.write;
  addon.Emit<4>(Event::kKvmCoalesced, [&](napi_value* argv) {
    Napi::Uint8Array data = Napi::Uint8Array::New(env, write.data.size());
    if (!write.data.empty()) std::memcpy(data.Data(), write.data.data(), write.data.size());
    argv[0] = Napi::Number::New(env, queued.vm);
    argv[1] = Napi::String::New(env, write.is_pio ? "pio" : "mmio");
    argv[2] = Napi::Number::New(env, static_cast<double>(write.address));
    argv[3] = data;
  });
}

}  // namespace

KvmState& KvmOf(Addon& addon) {
  if (addon.kvm_state() == nullptr) addon.kvm_state() = std::make_unique<KvmState>(addon);
  return static_cast<KvmState&>(*addon.kvm_state());
}

Result<int> KvmState::System() {
  if (!system_.valid()) {
    system_ = UniqueFd(RetryInterrupted([] { return open("/dev/kvm", O_RDWR | O_CLOEXEC); }));
    if (!system_.valid()) return LastFailure("openat");
  }
  return system_.get();
}

// What was queued for a VM or vCPU that is closed by now is nobody's.
void KvmState::Deliver(void* context, KvmEvent event) {
  Addon& addon = *static_cast<Addon*>(context);
  if (const auto* exit = std::get_if<QueuedExit>(&event)) {
    auto* vcpu = static_cast<Vcpu*>(addon.handles().Find(exit->vcpu, Kind::kVcpu));
    if (vcpu != nullptr && vcpu->TakeDelivery(*exit)) EmitExit(addon, *exit);
  } else if (const auto* write = std::get_if<QueuedWrite>(&event)) {
    if (addon.handles().Find(write->vm, Kind::kVm) != nullptr) EmitWrite(addon, *write);
  }
}

void Vm::Post(uint64_t address, uint64_t size, bool is_on) {
  const std::lock_guard<std::mutex> lock(ring_mutex_);
  const Range range = {address, size};
  std::erase(posted_, range);
  if (is_on) posted_.push_back(range);
}

bool Vm::IsPosted(const Exit& exit) const {
  if (exit.reason != ExitReason::kMmio || !exit.is_write) return false;
  return std::ranges::any_of(posted_, [&](const Range& range) {
    return exit.address >= range.address &&
           exit.address - range.address + exit.data.size() <= range.size;
  });
}

// The lock is held until all is queued, so that two vCPUs' events do not mix.
bool Vm::QueueExit(KvmEventQueue& queue, const Mapping& vcpu, QueuedExit exit) {
  const std::lock_guard<std::mutex> lock(ring_mutex_);
  std::vector<KvmEvent> events;
  for (CoalescedWrite& write : DrainCoalescedRing(vcpu, ring_offset_)) {
    events.emplace_back(QueuedWrite{handle(), std::move(write), false});
  }
  if (IsPosted(exit.exit) && queue.HasRoomForPosted()) {
    events.emplace_back(
        QueuedWrite{handle(), {false, exit.exit.address, std::move(exit.exit.data)}, true});
    queue.PushPosted(std::move(events));
    return false;
  }
  events.emplace_back(std::move(exit));
  queue.Push(std::move(events));
  return true;
}

Vcpu::~Vcpu() {
  if (running()) KvmOf(addon_).CountRunning(-1);
  thread_.End();
}

Status Vcpu::Run() {
  run_++;
  const Status status = thread_.Start();
  if (!status) KvmOf(addon_).CountRunning(1);
  return status;
}

void Vcpu::Complete(std::span<const uint8_t> data, bool resume) {
  const Exit exit = std::move(*delivered_);
  delivered_.reset();
  thread_.Answer(exit, data, resume);
  if (!resume) KvmOf(addon_).CountRunning(-1);
}

bool Vcpu::TakeDelivery(const QueuedExit& queued) {
  if (queued.run != run_ || !running()) return false;
  delivered_ = queued.exit;
  return true;
}

bool Vcpu::OnExit(const Exit& exit) {
  return vm_.QueueExit(queue_, thread_.mapping(), QueuedExit{handle(), run_, exit});
}

Vcpu* OpenAccessible(Call& call) {
  auto* vcpu = call.Open<Vcpu>(0);
  if (vcpu == nullptr || vcpu->accessible()) return vcpu;
  call.Invalid("vcpu " + std::to_string(vcpu->handle()) +
               " is running; stop it, or wait for its next exit");
  return nullptr;
}

napi_value NotOnThisArchitecture(Call& call) {
  call.Refuse("UNSUPPORTED", "KVM has no such thing on this architecture");
  return nullptr;
}

}  // namespace halyard
