// SHA-256 with the processor's SHA-2 instructions (Arm ARM, FEAT_SHA256), where it has them.
#include <arm_neon.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>

#include "../../core/sha256.h"

namespace halyard {

namespace {

bool HasSha2Instructions() { return (getauxval(AT_HWCAP) & HWCAP_SHA2) != 0; }

/// The instructions want the eight words in their order: ABCD, EFGH.
__attribute__((target("+crypto"))) void CompressBlocks(uint32_t* state, const uint8_t* blocks,
                                                       size_t count) {
  uint32x4_t abcd = vld1q_u32(state);
  uint32x4_t efgh = vld1q_u32(state + 4);
  for (; count > 0; count--, blocks += Sha256::kBlockBytes) {
    const uint32x4_t abcd_before = abcd;
    const uint32x4_t efgh_before = efgh;
    uint32x4_t schedule[4];  // NOLINT(modernize-avoid-c-arrays)
    for (int at = 0; at < 4; at++) {
      schedule[at] = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(blocks + 16 * at)));
    }
    // Four rounds a step; without unrolling, the schedule would live in memory.
#pragma GCC unroll 16
    for (int step = 0; step < 16; step++) {
      uint32x4_t& oldest = schedule[step & 3];
      const uint32x4_t input = vaddq_u32(oldest, vld1q_u32(Sha256::kRound.data() + 4 * step));
      const uint32x4_t abcd_now = abcd;
      abcd = vsha256hq_u32(abcd, efgh, input);
      efgh = vsha256h2q_u32(efgh, abcd_now, input);
      if (step >= 12) continue;
      oldest = vsha256su1q_u32(vsha256su0q_u32(oldest, schedule[(step + 1) & 3]),
                               schedule[(step + 2) & 3], schedule[(step + 3) & 3]);
    }
    abcd = vaddq_u32(abcd, abcd_before);
    efgh = vaddq_u32(efgh, efgh_before);
  }
  vst1q_u32(state, abcd);
  vst1q_u32(state + 4, efgh);
}

}  // namespace

Sha256::BlockFunction ArchSha256Blocks() {
  return HasSha2Instructions() ? CompressBlocks : nullptr;
}

}  // namespace halyard
