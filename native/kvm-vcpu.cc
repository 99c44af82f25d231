// The contract Kvm: running a vCPU and answering its exits.
#include "binding/call.h"
#include "kvm/resources.h"

namespace halyard {

namespace {

std::string Named(const Vcpu& vcpu) { return "vcpu " + std::to_string(vcpu.handle()); }

napi_value Run(Call& call) {
  auto* vcpu = call.Open<Vcpu>(0);
  if (vcpu == nullptr) return nullptr;
  if (vcpu->running()) return call.Invalid(Named(*vcpu) + " is running already"), nullptr;
  if (const Status status = vcpu->Run()) call.Fail(*status);
  return nullptr;
}

napi_value Stop(Call& call) {
  auto* vcpu = call.Open<Vcpu>(0);
  if (vcpu == nullptr) return nullptr;
  if (!vcpu->running()) return call.Invalid(Named(*vcpu) + " is not running"), nullptr;
  vcpu->Stop();
  return nullptr;
}

napi_value Complete(Call& call) {
  auto* vcpu = call.Open<Vcpu>(0);
  std::span<uint8_t> data;
  bool resume = false;
  if (vcpu == nullptr || !call.Bytes(1, "data", &data) || !call.Bool(2, "resume", &resume)) {
    return nullptr;
  }
  if (!vcpu->delivered().has_value()) {
    return call.Refuse("NOT_WAITING", Named(*vcpu) + " has no exit that waits for an answer"),
           nullptr;
  }
  const size_t wanted = vcpu->delivered()->answer_bytes();
  if (data.size() != wanted) {
    return call.Invalid("data must hold the " + std::to_string(wanted) +
                        " bytes that the exit asked for, got " + std::to_string(data.size())),
           nullptr;
  }
  vcpu->Complete(data, resume);
  return nullptr;
}

}  // namespace

void RegisterVcpu(Addon& addon, Napi::Object target) {
  Export<Run, 1>(addon, target, "run");
  Export<Stop, 1>(addon, target, "stop");
  Export<Complete, 3>(addon, target, "complete");
}

}  // namespace halyard
