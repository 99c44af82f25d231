// The contract Kvm: the system and its virtual machines.
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include <array>

#include "binding/call.h"
#include "event-fd.h"
#include "kvm/resources.h"

namespace halyard {

static_assert(KVM_CREATE_VM == 0xAE01 && KVM_CREATE_VCPU == 0xAE41 && KVM_RUN == 0xAE80);
static_assert(sizeof(kvm_userspace_memory_region) == 32);
static_assert(sizeof(kvm_ioeventfd) == 64);
static_assert(sizeof(kvm_irqfd) == 32);
static_assert(sizeof(kvm_irq_level) == 8);
static_assert(sizeof(kvm_coalesced_mmio_zone) == 16);

int OpenKvmSystem(Call& call) {
  Result<int> system = KvmOf(call.addon).System();
  if (system.ok()) return system.value();
  const int error = system.failure().error;
  if (error == ENOENT || error == ENODEV || error == ENXIO) {
    call.Refuse("UNSUPPORTED",
                "there is no /dev/kvm. Load the module kvm_intel or kvm_amd, or enable "
                "virtualization in the firmware or the outer hypervisor; replay needs none of it");
  } else if (error == EACCES || error == EPERM) {
    call.Refuse("UNSUPPORTED",
                "this user may not open /dev/kvm. Add the user to the group that owns it (often "
                "\"kvm\") and log in again; replay does not need it");
  } else {
    call.Fail(system.failure());
  }
  return -1;
}

napi_value Control(Call& call, int fd, unsigned long request, void* argument) {  // NOLINT
  if (RetryInterrupted([&] { return ioctl(fd, request, argument); }) < 0) {
    call.Fail(LastFailure("ioctl"));
  }
  return nullptr;
}

namespace {

constexpr std::array<const char*, 2> kSpaces = {"mmio", "pio"};

napi_value CheckExtension(Call& call) {
  uint32_t capability = 0;
  if (!call.U32(0, "capability", &capability)) return nullptr;
  const int system = OpenKvmSystem(call);
  if (system < 0) return nullptr;
  const int result = ioctl(system, KVM_CHECK_EXTENSION, capability);
  if (result < 0) return call.Fail(LastFailure("ioctl")), nullptr;
  return call.Number(result);
}

napi_value CreateVm(Call& call) {
  const int system = OpenKvmSystem(call);
  if (system < 0) return nullptr;
  UniqueFd fd(RetryInterrupted([&] { return ioctl(system, KVM_CREATE_VM, VmType(system)); }));
  if (!fd.valid()) return call.Fail(LastFailure("ioctl")), nullptr;
  // The capability's value is the ring's page in a vCPU's mapping; 0 if there is no ring.
  const int page = ioctl(system, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO);
  const uint64_t ring_offset = page > 0 ? static_cast<uint64_t>(page) * PageSize() : 0;
  return call.Give(std::make_unique<Vm>(std::move(fd), ring_offset));
}

napi_value CloseVm(Call& call) {
  auto* vm = call.Open<Vm>(0);
  if (vm == nullptr) return nullptr;
  for (const uint32_t vcpu : vm->vcpus()) call.addon.handles().Take(vcpu);
  for (const uint32_t device : vm->devices()) call.addon.handles().Take(device);
  call.addon.handles().Take(vm->handle());
  return nullptr;
}

napi_value CreateIrqchip(Call& call) {
  const auto* vm = call.Open<Vm>(0);
  return vm == nullptr ? nullptr : Control(call, vm->fd(), KVM_CREATE_IRQCHIP, nullptr);
}

napi_value SetMemory(Call& call) {
  const auto* vm = call.Open<Vm>(0);
  kvm_userspace_memory_region slot = {};
  uint64_t address = 0;
  uint64_t size = 0;
  uint64_t offset = 0;
  bool is_read_only = false;
  if (vm == nullptr || !call.U32(1, "slot", &slot.slot) || !call.U53(2, "address", &address) ||
      !call.U53(3, "size", &size) || !call.U53(5, "offset", &offset) ||
      !call.Bool(6, "readOnly", &is_read_only)) {
    return nullptr;
  }
  slot.guest_phys_addr = address;
  slot.memory_size = size;
  if (size != 0) {
    const auto* region = call.Open<Region>(4);
    if (region == nullptr) return nullptr;
    if (!region->Holds(offset, size)) {
      return call.Refuse("OUT_OF_BOUNDS", std::to_string(size) + " bytes at offset " +
                                              std::to_string(offset) + " do not lie in region " +
                                              std::to_string(region->handle()) + " of " +
                                              std::to_string(region->size()) + " bytes"),
             nullptr;
    }
    slot.userspace_addr = reinterpret_cast<uint64_t>(region->data()) + offset;
    slot.flags = is_read_only ? KVM_MEM_READONLY : 0;
  }
  return Control(call, vm->fd(), KVM_SET_USER_MEMORY_REGION, &slot);
}

napi_value Ioeventfd(Call& call) {
  const auto* vm = call.Open<Vm>(0);
  const auto* eventfd = vm == nullptr ? nullptr : call.Open<EventFd>(1);
  uint64_t address = 0;
  size_t space = 0;
  uint8_t length = 0;
  bool has_match = false;
  uint32_t match = 0;
  bool is_on = false;
  if (eventfd == nullptr || !call.U53(2, "address", &address) ||
      !call.OneOf(3, "space", kSpaces, &space) || !call.U8(4, "length", &length) ||
      !call.Bool(5, "hasMatch", &has_match) || !call.U32(6, "match", &match) ||
      !call.Bool(7, "on", &is_on)) {
    return nullptr;
  }
  kvm_ioeventfd request = {};
  request.datamatch = match;
  request.addr = address;
  request.len = length;
  request.fd = eventfd->fd();
  request.flags = (has_match ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0) |
                  (space == 1 ? KVM_IOEVENTFD_FLAG_PIO : 0) |
                  (is_on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN);
  return Control(call, vm->fd(), KVM_IOEVENTFD, &request);
}

napi_value Irqfd(Call& call) {
  const auto* vm = call.Open<Vm>(0);
  const auto* eventfd = vm == nullptr ? nullptr : call.Open<EventFd>(1);
  kvm_irqfd request = {};
  bool is_on = false;
  if (eventfd == nullptr || !call.U32(2, "gsi", &request.gsi) || !call.Bool(3, "on", &is_on)) {
    return nullptr;
  }
  request.fd = static_cast<uint32_t>(eventfd->fd());
  request.flags = is_on ? 0 : KVM_IRQFD_FLAG_DEASSIGN;
  return Control(call, vm->fd(), KVM_IRQFD, &request);
}

napi_value SetIrqLine(Call& call) {
  const auto* vm = call.Open<Vm>(0);
  kvm_irq_level line = {};
  bool level = false;
  uint32_t gsi = 0;
  if (vm == nullptr || !call.U32(1, "gsi", &gsi) || !call.Bool(2, "level", &level)) {
    return nullptr;
  }
  line.irq = IrqLineOf(gsi);
  line.level = level ? 1 : 0;
  return Control(call, vm->fd(), KVM_IRQ_LINE, &line);
}

napi_value Coalesce(Call& call) {
  const auto* vm = call.Open<Vm>(0);
  uint64_t address = 0;
  kvm_coalesced_mmio_zone zone = {};
  size_t space = 0;
  bool is_on = false;
  if (vm == nullptr || !call.U53(1, "address", &address) || !call.U32(2, "size", &zone.size) ||
      !call.OneOf(3, "space", kSpaces, &space) || !call.Bool(4, "on", &is_on)) {
    return nullptr;
  }
  zone.addr = address;
  zone.pio = static_cast<uint32_t>(space);
  return Control(call, vm->fd(),
                 is_on ? KVM_REGISTER_COALESCED_MMIO : KVM_UNREGISTER_COALESCED_MMIO, &zone);
}

napi_value Post(Call& call) {
  auto* vm = call.Open<Vm>(0);
  uint64_t address = 0;
  uint32_t size = 0;
  bool is_on = false;
  if (vm == nullptr || !call.U53(1, "address", &address) || !call.U32(2, "size", &size) ||
      !call.Bool(3, "on", &is_on)) {
    return nullptr;
  }
  vm->Post(address, size, is_on);
  return nullptr;
}

napi_value CreateVcpu(Call& call) {
  auto* vm = call.Open<Vm>(0);
  uint32_t id = 0;
  if (vm == nullptr || !call.U32(1, "id", &id)) return nullptr;
  const int system = OpenKvmSystem(call);
  if (system < 0) return nullptr;
  const int run_bytes = ioctl(system, KVM_GET_VCPU_MMAP_SIZE, 0);
  if (run_bytes < static_cast<int>(sizeof(kvm_run))) {
    return call.Fail(LastFailure("ioctl")), nullptr;
  }
  UniqueFd fd(ioctl(vm->fd(), KVM_CREATE_VCPU, static_cast<unsigned long>(id)));  // NOLINT
  if (!fd.valid()) return call.Fail(LastFailure("ioctl")), nullptr;
  Result<Mapping> run = Mapping::Shared(fd.get(), static_cast<size_t>(run_bytes), 0);
  if (!run.ok()) return call.Fail(run.failure()), nullptr;
  const uint32_t handle = call.addon.handles().Add(
      std::make_unique<Vcpu>(call.addon, *vm, std::move(fd), std::move(run.value())));
  vm->vcpus().push_back(handle);
  return call.Number(handle);
}

}  // namespace

void RegisterKvm(Addon& addon, Napi::Object target) {
  Export<CheckExtension, 1>(addon, target, "checkExtension");
  Export<CreateVm, 0>(addon, target, "createVm");
  Export<CloseVm, 1>(addon, target, "closeVm");
  Export<CreateIrqchip, 1>(addon, target, "createIrqchip");
  Export<SetMemory, 7>(addon, target, "setMemory");
  Export<CreateVcpu, 2>(addon, target, "createVcpu");
  Export<Ioeventfd, 8>(addon, target, "ioeventfd");
  Export<Irqfd, 4>(addon, target, "irqfd");
  Export<SetIrqLine, 3>(addon, target, "setIrqLine");
  Export<Coalesce, 5>(addon, target, "coalesce");
  Export<Post, 4>(addon, target, "post");
  RegisterVcpu(addon, target);
  RegisterKvmDevices(addon, target);
  RegisterKvmArch(addon, target);
}

}  // namespace halyard
