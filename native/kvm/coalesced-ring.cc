#include "coalesced-ring.h"

#include <linux/kvm.h>

#include <algorithm>
#include <atomic>

#include "../core/shared-memory.h"

namespace halyard {

static_assert(sizeof(kvm_coalesced_mmio) == 24);

namespace {

// The kernel's `first` and `last`; the entries follow. Its own structure is not used: the way its
// header declares the entries puts them elsewhere in C++ than in C.
struct RingHeader {
  uint32_t first;
  uint32_t last;
};
static_assert(sizeof(RingHeader) == 8);

}  // namespace

std::vector<CoalescedWrite> DrainCoalescedRing(const Mapping& vcpu, uint64_t ring_offset) {
  std::vector<CoalescedWrite> writes;
  if (ring_offset == 0 || ring_offset + PageSize() > vcpu.size()) return writes;
  auto* ring = reinterpret_cast<RingHeader*>(vcpu.data() + ring_offset);
  const auto* entries = reinterpret_cast<const kvm_coalesced_mmio*>(ring + 1);
  const auto slots =
      static_cast<uint32_t>((PageSize() - sizeof(RingHeader)) / sizeof(kvm_coalesced_mmio));
  const std::atomic_ref<uint32_t> last(ring->last);
  const std::atomic_ref<uint32_t> first(ring->first);
  uint32_t at = first.load(std::memory_order_relaxed) % slots;
  while (at != last.load(std::memory_order_acquire) % slots) {
    const kvm_coalesced_mmio& entry = entries[at];
    const size_t length = std::min<size_t>(entry.len, sizeof(entry.data));
    writes.push_back({entry.pio != 0, entry.phys_addr, {entry.data, entry.data + length}});
    at = (at + 1) % slots;
    first.store(at, std::memory_order_release);
  }
  return writes;
}

}  // namespace halyard
