// Guest writes that KVM collected instead of exiting (struct kvm_coalesced_mmio_ring). A VM has one
// ring.
#pragma once

#include <cstdint>
#include <vector>

#include "../core/mapping.h"

namespace halyard {

struct CoalescedWrite {
  bool is_pio = false;
  uint64_t address = 0;
  std::vector<uint8_t> data;
};

/// Takes what is in the ring, oldest first. `ring_offset` is where it lies in a vCPU's mapping; 0
/// means there is none. Only one thread at a time.
std::vector<CoalescedWrite> DrainCoalescedRing(const Mapping& vcpu, uint64_t ring_offset);

}  // namespace halyard
