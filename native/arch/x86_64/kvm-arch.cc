// The contract Kvm on x86_64: what a PC's virtual machine has.
#include "kvm-arch.h"

#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "../../kvm/resources.h"

namespace halyard {

static_assert(sizeof(kvm_pit_config) == 64);

namespace {

napi_value SetTssAddress(Call& call) {
  const auto* vm = call.Open<Vm>(0);
  uint64_t address = 0;
  if (vm == nullptr || !call.U53(1, "address", &address)) return nullptr;
  // This ioctl takes the address itself, not a pointer to it.
  return Control(call, vm->fd(), KVM_SET_TSS_ADDR,
                 reinterpret_cast<void*>(address));  // NOLINT(performance-no-int-to-ptr)
}

napi_value SetIdentityMapAddress(Call& call) {
  const auto* vm = call.Open<Vm>(0);
  uint64_t address = 0;
  if (vm == nullptr || !call.U53(1, "address", &address)) return nullptr;
  return Control(call, vm->fd(), KVM_SET_IDENTITY_MAP_ADDR, &address);
}

napi_value CreatePit(Call& call) {
  const auto* vm = call.Open<Vm>(0);
  if (vm == nullptr) return nullptr;
  kvm_pit_config config = {};
  config.flags = KVM_PIT_SPEAKER_DUMMY;
  return Control(call, vm->fd(), KVM_CREATE_PIT2, &config);
}

}  // namespace

unsigned long VmType(int) { return 0; }  // NOLINT(google-runtime-int)

uint32_t IrqLineOf(uint32_t gsi) { return gsi; }

void RegisterKvmArch(Addon& addon, Napi::Object target) {
  Export<SetTssAddress, 2>(addon, target, "setTssAddress");
  Export<SetIdentityMapAddress, 2>(addon, target, "setIdentityMapAddress");
  Export<CreatePit, 1>(addon, target, "createPit");
  Export<NotOnThisArchitecture, 1>(addon, target, "preferredTarget");
  Export<NotOnThisArchitecture, 3>(addon, target, "initVcpu");
  RegisterRegisters(addon, target);
  RegisterCpuidAndMsrs(addon, target);
}

}  // namespace halyard
