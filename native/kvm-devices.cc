// The contract Kvm: registers by their ids, and in-kernel devices.
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "binding/call.h"
#include "kvm/resources.h"

namespace halyard {

static_assert(sizeof(kvm_one_reg) == 16);
static_assert(sizeof(kvm_create_device) == 12);
static_assert(sizeof(kvm_device_attr) == 24);
static_assert(KVM_GET_ONE_REG == 0x4010AEAB && KVM_SET_DEVICE_ATTR == 0x4018AEE1);

namespace {

// A register's id holds the logarithm of its size in bytes.
constexpr uint64_t kSizeMask = KVM_REG_SIZE_MASK;
constexpr uint64_t kLargestRegister = KVM_REG_SIZE_U64;

/// The vCPU of argument 0 and the register of argument 1, or nullptr after a refusal.
const Vcpu* OpenForRegister(Call& call, kvm_one_reg* reg) {
  uint64_t id = 0;
  if (!call.U64(1, "id", &id)) return nullptr;
  if ((id & kSizeMask) > kLargestRegister) {
    call.Invalid("id must name a register of at most 64 bits");
    return nullptr;
  }
  reg->id = id;
  return OpenAccessible(call);
}

napi_value GetOneRegister(Call& call) {
  kvm_one_reg reg = {};
  const Vcpu* vcpu = OpenForRegister(call, &reg);
  if (vcpu == nullptr) return nullptr;
  // Smaller registers fill its low bytes.
  uint64_t value = 0;
  reg.addr = reinterpret_cast<uint64_t>(&value);
  if (ioctl(vcpu->fd(), KVM_GET_ONE_REG, &reg) != 0) {
    return call.Fail(LastFailure("ioctl")), nullptr;
  }
  return call.BigInt(value);
}

napi_value SetOneRegister(Call& call) {
  kvm_one_reg reg = {};
  uint64_t value = 0;
  const Vcpu* vcpu = OpenForRegister(call, &reg);
  if (vcpu == nullptr || !call.U64(2, "value", &value)) return nullptr;
  reg.addr = reinterpret_cast<uint64_t>(&value);
  return Control(call, vcpu->fd(), KVM_SET_ONE_REG, &reg);
}

napi_value CreateDevice(Call& call) {
  auto* vm = call.Open<Vm>(0);
  kvm_create_device request = {};
  if (vm == nullptr || !call.U32(1, "type", &request.type)) return nullptr;
  if (ioctl(vm->fd(), KVM_CREATE_DEVICE, &request) != 0) {
    return call.Fail(LastFailure("ioctl")), nullptr;
  }
  const uint32_t handle = call.addon.handles().Add(
      std::make_unique<KernelDevice>(UniqueFd(static_cast<int>(request.fd))));
  vm->devices().push_back(handle);
  return call.Number(handle);
}

napi_value SetDeviceAttribute(Call& call) {
  const auto* device = call.Open<KernelDevice>(0);
  kvm_device_attr request = {};
  uint64_t attribute = 0;
  uint64_t value = 0;
  bool has_value = false;
  if (device == nullptr || !call.U32(1, "group", &request.group) ||
      !call.U64(2, "attribute", &attribute) || !call.U64(3, "value", &value) ||
      !call.Bool(4, "hasValue", &has_value)) {
    return nullptr;
  }
  request.attr = attribute;
  request.addr = has_value ? reinterpret_cast<uint64_t>(&value) : 0;
  return Control(call, device->fd(), KVM_SET_DEVICE_ATTR, &request);
}

}  // namespace

void RegisterKvmDevices(Addon& addon, Napi::Object target) {
  Export<GetOneRegister, 2>(addon, target, "getOneRegister");
  Export<SetOneRegister, 3>(addon, target, "setOneRegister");
  Export<CreateDevice, 2>(addon, target, "createDevice");
  Export<SetDeviceAttribute, 5>(addon, target, "setDeviceAttribute");
}

}  // namespace halyard
