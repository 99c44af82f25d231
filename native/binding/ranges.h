// Ranges of a region, as JavaScript gives them: a Float64Array of pairs [start, length, ...].
#pragma once

#include <span>

#include "../core/shared-memory.h"
#include "call.h"

namespace halyard {

/// Refuses `length` bytes at `offset` for not lying in the region.
bool RefuseBounds(Call& call, const Region& region, uint64_t offset, uint64_t length);

/// Reads the argument `ranges`: each a start and a length in multiples of `alignment` (1 for any),
/// and inside the region. False after a refusal.
bool ReadRanges(Call& call, size_t index, const Region& region, uint64_t alignment,
                std::span<double>* ranges);

}  // namespace halyard
