#include "ranges.h"

#include <cmath>
#include <string>

namespace halyard {

namespace {

constexpr double kRangeLimit = 4503599627370496.0;  // 2^52

bool RefuseNumbers(Call& call, std::span<const double> range, size_t at, uint64_t alignment) {
  const std::string unit =
      alignment == 1 ? "whole bytes" : "multiples of the page size " + std::to_string(alignment);
  return call.Invalid("ranges[" + std::to_string(at) + "] must be [start, length] in " + unit +
                      ", got [" + std::to_string(range[0]) + ", " + std::to_string(range[1]) + "]");
}

/// Whole, aligned and inside: the start and the length of a range.
bool CheckRange(Call& call, const Region& region, uint64_t alignment, std::span<const double> range,
                size_t at) {
  for (const double number : range) {
    if (!(number >= 0 && number <= kMaxSafeInteger) ||
        std::fmod(number, static_cast<double>(alignment)) != 0) {
      return RefuseNumbers(call, range, at, alignment);
    }
  }
  // The trace has no room for more, so every profile refuses it.
  if (range[0] + range[1] >= kRangeLimit) {
    return call.Invalid("ranges[" + std::to_string(at) + "] must end below 2^52");
  }
  const auto start = static_cast<uint64_t>(range[0]);
  const auto length = static_cast<uint64_t>(range[1]);
  return region.Holds(start, length) || RefuseBounds(call, region, start, length);
}

}  // namespace

bool RefuseBounds(Call& call, const Region& region, uint64_t offset, uint64_t length) {
  return call.Refuse("OUT_OF_BOUNDS", std::to_string(length) + " bytes at offset " +
                                          std::to_string(offset) + " do not lie in region " +
                                          std::to_string(region.handle()) + " of " +
                                          std::to_string(region.size()) + " bytes");
}

bool ReadRanges(Call& call, size_t index, const Region& region, uint64_t alignment,
                std::span<double>* ranges) {
  if (!call.Array<double>(index, "ranges", ranges)) return false;
  if (ranges->size() % 2 != 0) {
    return call.Invalid("ranges must hold pairs [start, length, ...], got " +
                        std::to_string(ranges->size()) + " numbers");
  }
  for (size_t at = 0; at < ranges->size(); at += 2) {
    if (!CheckRange(call, region, alignment, ranges->subspan(at, 2), at)) return false;
  }
  return true;
}

}  // namespace halyard
