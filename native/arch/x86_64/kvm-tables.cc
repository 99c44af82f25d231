// The contract Kvm on x86_64: CPUID, model-specific registers and the time stamp counter.
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <vector>

#include "../../binding/fields.h"
#include "../../kvm/resources.h"
#include "kvm-arch.h"

namespace halyard {

static_assert(sizeof(kvm_cpuid_entry2) == 40);
static_assert(sizeof(kvm_msr_entry) == 16);

namespace {

// The header's kvm_cpuid2 and kvm_msrs are larger in C++ than in C (an empty structure stands
// before their entries), and their sizes are part of these numbers. So both are made here: a count
// and padding of 8 bytes, then the entries.
using CountHeader = uint64_t;
constexpr unsigned long kGetSupportedCpuid = _IOWR(KVMIO, 0x05, CountHeader);  // NOLINT
constexpr unsigned long kSetCpuid2 = _IOW(KVMIO, 0x90, CountHeader);           // NOLINT
constexpr unsigned long kGetMsrs = _IOWR(KVMIO, 0x88, CountHeader);            // NOLINT
constexpr unsigned long kSetMsrs = _IOW(KVMIO, 0x89, CountHeader);             // NOLINT
static_assert(kGetSupportedCpuid == 0xC008AE05 && kSetCpuid2 == 0x4008AE90);
static_assert(kGetMsrs == 0xC008AE88 && kSetMsrs == 0x4008AE89);

// KVM's own limits (KVM_MAX_CPUID_ENTRIES, MAX_IO_MSRS).
constexpr size_t kMaxCpuidEntries = 256;
constexpr size_t kMaxMsrs = 256;

constexpr std::array kCpuid = {
    HALYARD_FIELD(kvm_cpuid_entry2, function), HALYARD_FIELD(kvm_cpuid_entry2, index),
    HALYARD_FIELD(kvm_cpuid_entry2, flags),    HALYARD_FIELD(kvm_cpuid_entry2, eax),
    HALYARD_FIELD(kvm_cpuid_entry2, ebx),      HALYARD_FIELD(kvm_cpuid_entry2, ecx),
    HALYARD_FIELD(kvm_cpuid_entry2, edx)};

constexpr std::array kMsr = {
    HALYARD_FIELD(kvm_msr_entry, index),
    Field{"value", offsetof(kvm_msr_entry, data), sizeof(kvm_msr_entry::data)}};

/// A header whose first 32 bits are the count, then entries.
template <class Entry>
class Counted {
 public:
  explicit Counted(size_t capacity)
      : words_(sizeof(CountHeader) / 8 + capacity * sizeof(Entry) / 8) {
    SetCount(capacity);
  }
  void* data() { return words_.data(); }
  uint32_t count() const {
    uint32_t count = 0;
    std::memcpy(&count, words_.data(), sizeof(count));
    return count;
  }
  void SetCount(size_t count) {
    const auto narrow = static_cast<uint32_t>(count);
    std::memcpy(words_.data(), &narrow, sizeof(narrow));
  }
  Entry* entries() { return reinterpret_cast<Entry*>(words_.data() + sizeof(CountHeader) / 8); }

 private:
  static_assert(sizeof(Entry) % sizeof(uint64_t) == 0);
  std::vector<uint64_t> words_;
};
using CpuidTable = Counted<kvm_cpuid_entry2>;
using MsrTable = Counted<kvm_msr_entry>;

napi_value RefuseMsr(Call& call, uint32_t index) {
  char text[16];  // NOLINT(modernize-avoid-c-arrays)
  snprintf(text, sizeof(text), "0x%x", index);
  call.Refuse("UNSUPPORTED", std::string("this KVM does not take the MSR ") + text);
  return nullptr;
}

napi_value SupportedCpuid(Call& call) {
  const int system = OpenKvmSystem(call);
  if (system < 0) return nullptr;
  CpuidTable table(kMaxCpuidEntries);
  if (ioctl(system, kGetSupportedCpuid, table.data()) != 0) {
    return call.Fail(LastFailure("ioctl")), nullptr;
  }
  Napi::Array result = Napi::Array::New(call.env, table.count());
  for (uint32_t at = 0; at < table.count(); at++) {
    result.Set(at, MakeObject(call, kCpuid, &table.entries()[at]));
  }
  return result;
}

napi_value SetCpuid(Call& call) {
  CpuidTable table(kMaxCpuidEntries);
  size_t count = 0;
  const bool is_read =
      ReadList(call, 1, "entries", kMaxCpuidEntries, [&](napi_value item, const std::string& path) {
        return ReadFields(call, item, path, kCpuid, &table.entries()[count++]);
      });
  if (!is_read) return nullptr;
  const Vcpu* vcpu = OpenAccessible(call);
  if (vcpu == nullptr) return nullptr;
  table.SetCount(count);
  return Control(call, vcpu->fd(), kSetCpuid2, table.data());
}

napi_value GetMsrs(Call& call) {
  std::vector<uint32_t> indices;
  if (!call.U32List(1, "indices", kMaxMsrs, &indices)) return nullptr;
  const Vcpu* vcpu = OpenAccessible(call);
  if (vcpu == nullptr) return nullptr;
  MsrTable table(indices.size());
  for (size_t at = 0; at < indices.size(); at++) table.entries()[at].index = indices[at];
  const int done = ioctl(vcpu->fd(), kGetMsrs, table.data());
  if (done < 0) return call.Fail(LastFailure("ioctl")), nullptr;
  if (static_cast<size_t>(done) < indices.size()) {
    return RefuseMsr(call, indices[static_cast<size_t>(done)]);
  }
  Napi::Array result = Napi::Array::New(call.env, indices.size());
  for (uint32_t at = 0; at < indices.size(); at++) {
    result.Set(at, MakeObject(call, kMsr, &table.entries()[at]));
  }
  return result;
}

napi_value SetMsrs(Call& call) {
  MsrTable table(kMaxMsrs);
  size_t count = 0;
  const bool is_read =
      ReadList(call, 1, "msrs", kMaxMsrs, [&](napi_value item, const std::string& path) {
        return ReadFields(call, item, path, kMsr, &table.entries()[count++]);
      });
  if (!is_read) return nullptr;
  const Vcpu* vcpu = OpenAccessible(call);
  if (vcpu == nullptr) return nullptr;
  table.SetCount(count);
  const int done = ioctl(vcpu->fd(), kSetMsrs, table.data());
  if (done < 0) return call.Fail(LastFailure("ioctl")), nullptr;
  if (static_cast<size_t>(done) < count) {
    return RefuseMsr(call, table.entries()[static_cast<size_t>(done)].index);
  }
  return nullptr;
}

napi_value TscKhz(Call& call) {
  const Vcpu* vcpu = OpenAccessible(call);
  if (vcpu == nullptr) return nullptr;
  const int khz = ioctl(vcpu->fd(), KVM_GET_TSC_KHZ, 0);
  if (khz < 0) return call.Fail(LastFailure("ioctl")), nullptr;
  return call.Number(khz);
}

}  // namespace

void RegisterCpuidAndMsrs(Addon& addon, Napi::Object target) {
  Export<SupportedCpuid, 0>(addon, target, "supportedCpuid");
  Export<SetCpuid, 2>(addon, target, "setCpuid");
  Export<GetMsrs, 2>(addon, target, "getMsrs");
  Export<SetMsrs, 2>(addon, target, "setMsrs");
  Export<TscKhz, 1>(addon, target, "tscKhz");
}

}  // namespace halyard
