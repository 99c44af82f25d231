// The contract Kvm on x86_64: a vCPU's registers.
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include <array>

#include "../../binding/fields.h"
#include "../../kvm/resources.h"
#include "kvm-arch.h"

namespace halyard {

static_assert(sizeof(kvm_regs) == 144);
static_assert(sizeof(kvm_sregs) == 312);
static_assert(sizeof(kvm_segment) == 24);
static_assert(sizeof(kvm_dtable) == 16);

namespace {

constexpr std::array kGeneral = {
    HALYARD_FIELD(kvm_regs, rax), HALYARD_FIELD(kvm_regs, rbx), HALYARD_FIELD(kvm_regs, rcx),
    HALYARD_FIELD(kvm_regs, rdx), HALYARD_FIELD(kvm_regs, rsi), HALYARD_FIELD(kvm_regs, rdi),
    HALYARD_FIELD(kvm_regs, rsp), HALYARD_FIELD(kvm_regs, rbp), HALYARD_FIELD(kvm_regs, r8),
    HALYARD_FIELD(kvm_regs, r9),  HALYARD_FIELD(kvm_regs, r10), HALYARD_FIELD(kvm_regs, r11),
    HALYARD_FIELD(kvm_regs, r12), HALYARD_FIELD(kvm_regs, r13), HALYARD_FIELD(kvm_regs, r14),
    HALYARD_FIELD(kvm_regs, r15), HALYARD_FIELD(kvm_regs, rip), HALYARD_FIELD(kvm_regs, rflags)};

constexpr std::array kSegment = {
    HALYARD_FIELD(kvm_segment, base),     HALYARD_FIELD(kvm_segment, limit),
    HALYARD_FIELD(kvm_segment, selector), HALYARD_FIELD(kvm_segment, type),
    HALYARD_FIELD(kvm_segment, present),  HALYARD_FIELD(kvm_segment, dpl),
    HALYARD_FIELD(kvm_segment, db),       HALYARD_FIELD(kvm_segment, s),
    HALYARD_FIELD(kvm_segment, l),        HALYARD_FIELD(kvm_segment, g),
    HALYARD_FIELD(kvm_segment, avl)};

constexpr std::array kTable = {HALYARD_FIELD(kvm_dtable, base), HALYARD_FIELD(kvm_dtable, limit)};

constexpr std::array kControl = {
    HALYARD_FIELD(kvm_sregs, cr0),
    HALYARD_FIELD(kvm_sregs, cr2),
    HALYARD_FIELD(kvm_sregs, cr3),
    HALYARD_FIELD(kvm_sregs, cr4),
    HALYARD_FIELD(kvm_sregs, cr8),
    HALYARD_FIELD(kvm_sregs, efer),
    Field{"apicBase", offsetof(kvm_sregs, apic_base), sizeof(kvm_sregs::apic_base)}};

constexpr std::array kSegments = {HALYARD_FIELD(kvm_sregs, cs), HALYARD_FIELD(kvm_sregs, ds),
                                  HALYARD_FIELD(kvm_sregs, es), HALYARD_FIELD(kvm_sregs, fs),
                                  HALYARD_FIELD(kvm_sregs, gs), HALYARD_FIELD(kvm_sregs, ss),
                                  HALYARD_FIELD(kvm_sregs, tr), HALYARD_FIELD(kvm_sregs, ldt)};

constexpr std::array kTables = {HALYARD_FIELD(kvm_sregs, gdt), HALYARD_FIELD(kvm_sregs, idt)};

bool ReadParts(Call& call, std::span<const Field> parts, std::span<const Field> fields,
               uint8_t* registers) {
  for (const Field& part : parts) {
    napi_value object = nullptr;
    if (!ReadObject(call, call.Raw(1), "registers", part.name, &object) ||
        !ReadFields(call, object, std::string("registers.") + part.name, fields,
                    registers + part.offset)) {
      return false;
    }
  }
  return true;
}

// After an in-kernel HLT the vCPU stays halted, whatever its registers say: new ones are there to
// be run.
void WakeFromHalt(int vcpu) {
  kvm_mp_state state = {};
  if (ioctl(vcpu, KVM_GET_MP_STATE, &state) != 0 || state.mp_state != KVM_MP_STATE_HALTED) return;
  state.mp_state = KVM_MP_STATE_RUNNABLE;
  ioctl(vcpu, KVM_SET_MP_STATE, &state);
}

napi_value GetRegisters(Call& call) {
  const Vcpu* vcpu = OpenAccessible(call);
  if (vcpu == nullptr) return nullptr;
  kvm_regs registers = {};
  if (ioctl(vcpu->fd(), KVM_GET_REGS, &registers) != 0) {
    return call.Fail(LastFailure("ioctl")), nullptr;
  }
  return MakeObject(call, kGeneral, &registers);
}

napi_value SetRegisters(Call& call) {
  kvm_regs registers = {};
  // The object first: a getter of its could close the vCPU.
  if (!ReadFields(call, call.Raw(1), "registers", kGeneral, &registers)) return nullptr;
  const Vcpu* vcpu = OpenAccessible(call);
  if (vcpu == nullptr) return nullptr;
  if (ioctl(vcpu->fd(), KVM_SET_REGS, &registers) != 0) {
    return call.Fail(LastFailure("ioctl")), nullptr;
  }
  WakeFromHalt(vcpu->fd());
  return nullptr;
}

napi_value GetSystemRegisters(Call& call) {
  const Vcpu* vcpu = OpenAccessible(call);
  if (vcpu == nullptr) return nullptr;
  kvm_sregs registers = {};
  if (ioctl(vcpu->fd(), KVM_GET_SREGS, &registers) != 0) {
    return call.Fail(LastFailure("ioctl")), nullptr;
  }
  const auto* base = reinterpret_cast<const uint8_t*>(&registers);
  Napi::Object result = MakeObject(call, kControl, base);
  for (const Field& part : kSegments) {
    result.Set(part.name, MakeObject(call, kSegment, base + part.offset));
  }
  for (const Field& part : kTables) {
    result.Set(part.name, MakeObject(call, kTable, base + part.offset));
  }
  return result;
}

napi_value SetSystemRegisters(Call& call) {
  kvm_sregs given = {};
  auto* base = reinterpret_cast<uint8_t*>(&given);
  if (!ReadFields(call, call.Raw(1), "registers", kControl, base) ||
      !ReadParts(call, kSegments, kSegment, base) || !ReadParts(call, kTables, kTable, base)) {
    return nullptr;
  }
  const Vcpu* vcpu = OpenAccessible(call);
  if (vcpu == nullptr) return nullptr;
  kvm_sregs current = {};
  if (ioctl(vcpu->fd(), KVM_GET_SREGS, &current) != 0) {
    return call.Fail(LastFailure("ioctl")), nullptr;
  }
  std::copy(std::begin(current.interrupt_bitmap), std::end(current.interrupt_bitmap),
            std::begin(given.interrupt_bitmap));
  return Control(call, vcpu->fd(), KVM_SET_SREGS, &given);
}

}  // namespace

void RegisterRegisters(Addon& addon, Napi::Object target) {
  Export<GetRegisters, 1>(addon, target, "getRegisters");
  Export<SetRegisters, 2>(addon, target, "setRegisters");
  Export<GetSystemRegisters, 1>(addon, target, "getSystemRegisters");
  Export<SetSystemRegisters, 2>(addon, target, "setSystemRegisters");
}

}  // namespace halyard
