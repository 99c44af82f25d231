// The contract Kvm on arm64: how a vCPU begins. Interrupt controllers are in-kernel devices.
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

#include "../../kvm/resources.h"

namespace halyard {

static_assert(sizeof(kvm_vcpu_init) == 32);
static_assert(KVM_ARM_VCPU_INIT == 0x4020AEAE && KVM_ARM_PREFERRED_TARGET == 0x8020AEAF);

namespace {

constexpr size_t kFeatureWords = std::size(kvm_vcpu_init{}.features);

// What the address space of a VM has if it is not told otherwise.
constexpr int kDefaultAddressBits = 40;

// Interrupt ids below belong to one CPU each; shared ones (SPI) begin here (Arm GIC, 2.2.1).
constexpr uint32_t kFirstSharedInterrupt = 32;

// What only a PC's KVM has; the contract has it all the same.
constexpr std::array kOfPcs = {"setTssAddress",
                               "setIdentityMapAddress",
                               "createPit",
                               "supportedCpuid",
                               "setCpuid",
                               "getRegisters",
                               "setRegisters",
                               "getSystemRegisters",
                               "setSystemRegisters",
                               "getMsrs",
                               "setMsrs",
                               "tscKhz"};

napi_value PreferredTarget(Call& call) {
  const auto* vm = call.Open<Vm>(0);
  if (vm == nullptr) return nullptr;
  kvm_vcpu_init init = {};
  if (ioctl(vm->fd(), KVM_ARM_PREFERRED_TARGET, &init) != 0) {
    return call.Fail(LastFailure("ioctl")), nullptr;
  }
  Napi::Array features = Napi::Array::New(call.env, kFeatureWords);
  for (uint32_t at = 0; at < kFeatureWords; at++) features.Set(at, init.features[at]);
  Napi::Object result = Napi::Object::New(call.env);
  result.Set("target", init.target);
  result.Set("features", features);
  return result;
}

napi_value InitVcpu(Call& call) {
  kvm_vcpu_init init = {};
  std::vector<uint32_t> features;
  // The list first: a getter of its could close the vCPU.
  if (!call.U32List(2, "features", kFeatureWords, &features) ||
      !call.U32(1, "target", &init.target)) {
    return nullptr;
  }
  const Vcpu* vcpu = OpenAccessible(call);
  if (vcpu == nullptr) return nullptr;
  std::copy(features.begin(), features.end(), std::begin(init.features));
  return Control(call, vcpu->fd(), KVM_ARM_VCPU_INIT, &init);
}

}  // namespace

// A CPU that addresses less memory than the default refuses a VM of it.
unsigned long VmType(int system) {  // NOLINT(google-runtime-int)
  const int limit = ioctl(system, KVM_CHECK_EXTENSION, KVM_CAP_ARM_VM_IPA_SIZE);
  return limit > 0 && limit < kDefaultAddressBits
             ? KVM_VM_TYPE_ARM_IPA_SIZE(static_cast<unsigned>(limit))
             : 0;
}

uint32_t IrqLineOf(uint32_t gsi) {
  return (static_cast<uint32_t>(KVM_ARM_IRQ_TYPE_SPI) << KVM_ARM_IRQ_TYPE_SHIFT) |
         ((gsi + kFirstSharedInterrupt) & KVM_ARM_IRQ_NUM_MASK);
}

void RegisterKvmArch(Addon& addon, Napi::Object target) {
  Export<PreferredTarget, 1>(addon, target, "preferredTarget");
  Export<InitVcpu, 3>(addon, target, "initVcpu");
  for (const char* name : kOfPcs) Export<NotOnThisArchitecture, 0>(addon, target, name);
}

}  // namespace halyard
