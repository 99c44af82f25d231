// The contract Kvm on 32-bit arm, where no kernel of today has it: every call says so.
#include <array>

#include "../../binding/call.h"

namespace halyard {

namespace {

constexpr std::array kCalls = {"checkExtension",
                               "createVm",
                               "closeVm",
                               "setTssAddress",
                               "setIdentityMapAddress",
                               "createIrqchip",
                               "createPit",
                               "setMemory",
                               "createVcpu",
                               "supportedCpuid",
                               "setCpuid",
                               "getRegisters",
                               "setRegisters",
                               "getSystemRegisters",
                               "setSystemRegisters",
                               "getMsrs",
                               "setMsrs",
                               "tscKhz",
                               "ioeventfd",
                               "irqfd",
                               "setIrqLine",
                               "coalesce",
                               "run",
                               "stop",
                               "complete",
                               "preferredTarget",
                               "initVcpu",
                               "getOneRegister",
                               "setOneRegister",
                               "createDevice",
                               "setDeviceAttribute",
                               "post"};

napi_value Refuse(Call& call) {
  call.Refuse("UNSUPPORTED",
              "KVM left 32-bit arm hosts in Linux 5.7. Use a 64-bit host; replay needs no KVM");
  return nullptr;
}

}  // namespace

void RegisterKvm(Addon& addon, Napi::Object target) {
  for (const char* name : kCalls) Export<Refuse, 0>(addon, target, name);
}

}  // namespace halyard
