// What x86_64 adds to the contract Kvm.
#pragma once

#include "../../binding/call.h"

namespace halyard {

void RegisterRegisters(Addon& addon, Napi::Object target);
void RegisterCpuidAndMsrs(Addon& addon, Napi::Object target);

}  // namespace halyard
