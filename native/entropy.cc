// The contract Entropy: the kernel's randomness.
#include <sys/random.h>

#include "binding/call.h"

namespace halyard {

namespace {

Status FillRandom(uint8_t* into, size_t length) {
  size_t filled = 0;
  while (filled < length) {
    const ssize_t count =
        RetryInterrupted([&] { return getrandom(into + filled, length - filled, 0); });
    if (count < 0) return LastFailure("getrandom");
    filled += static_cast<size_t>(count);
  }
  return {};
}

napi_value Uniform(Call& call) {
  uint32_t below = 0;
  if (!call.U32(0, "below", &below)) return nullptr;
  if (below == 0) return call.Invalid("below must be at least 1, got 0"), nullptr;
  // Draws from the incomplete last multiple of `below` are thrown away, so that no value is
  // likelier.
  const uint64_t limit = (uint64_t{1} << 32) / below * below;
  uint32_t draw = 0;
  do {
    if (const Status status = FillRandom(reinterpret_cast<uint8_t*>(&draw), sizeof(draw))) {
      return call.Fail(*status), nullptr;
    }
  } while (draw >= limit);
  return call.Number(draw % below);
}

napi_value Fill(Call& call) {
  std::span<uint8_t> into;
  if (!call.Bytes(0, "into", &into)) return nullptr;
  if (const Status status = FillRandom(into.data(), into.size())) call.Fail(*status);
  return nullptr;
}

}  // namespace

void RegisterEntropy(Addon& addon, Napi::Object target) {
  Export<Uniform, 1>(addon, target, "uniform");
  Export<Fill, 1>(addon, target, "fill");
}

}  // namespace halyard
