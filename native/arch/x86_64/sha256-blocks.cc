// SHA-256 with the processor's SHA extensions (Intel SDM volume 2, SHA256RNDS2, SHA256MSG1 and
// SHA256MSG2), where it has them.
#include <cpuid.h>
#include <immintrin.h>

#include "../../core/sha256.h"

namespace halyard {

namespace {

constexpr unsigned kLeafFeatures = 1;
constexpr unsigned kLeafExtendedFeatures = 7;

bool HasShaExtensions() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid(kLeafFeatures, &a, &b, &c, &d) == 0) return false;
  if ((c & bit_SSSE3) == 0 || (c & bit_SSE4_1) == 0) return false;
  return __get_cpuid_count(kLeafExtendedFeatures, 0, &a, &b, &c, &d) != 0 && (b & bit_SHA) != 0;
}

/// The instructions want the eight words as two registers, from the highest lane down: ABEF, CDGH.
__attribute__((target("sha,sse4.1"))) void CompressBlocks(uint32_t* state, const uint8_t* blocks,
                                                          size_t count) {
  const __m128i swap_bytes = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
  auto word = [&](int at) { return static_cast<int>(state[at]); };
  __m128i abef = _mm_set_epi32(word(0), word(1), word(4), word(5));
  __m128i cdgh = _mm_set_epi32(word(2), word(3), word(6), word(7));
  for (; count > 0; count--, blocks += Sha256::kBlockBytes) {
    const __m128i abef_before = abef;
    const __m128i cdgh_before = cdgh;
    __m128i schedule[4];  // NOLINT(modernize-avoid-c-arrays)
    for (int at = 0; at < 4; at++) {
      const __m128i raw = _mm_loadu_si128(reinterpret_cast<const __m128i*>(blocks) + at);
      schedule[at] = _mm_shuffle_epi8(raw, swap_bytes);
    }
    // Four rounds a step; without unrolling, the schedule would live in memory.
#pragma GCC unroll 16
    for (int step = 0; step < 16; step++) {
      __m128i& oldest = schedule[step & 3];
      const __m128i round =
          _mm_loadu_si128(reinterpret_cast<const __m128i*>(Sha256::kRound.data()) + step);
      const __m128i input = _mm_add_epi32(oldest, round);
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, input);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(input, 0x0e));
      if (step >= 12) continue;
      const __m128i newest = schedule[(step + 3) & 3];
      const __m128i seven_back = _mm_alignr_epi8(newest, schedule[(step + 2) & 3], 4);
      const __m128i partial =
          _mm_add_epi32(_mm_sha256msg1_epu32(oldest, schedule[(step + 1) & 3]), seven_back);
      oldest = _mm_sha256msg2_epu32(partial, newest);
    }
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
  }
  alignas(16) uint32_t words[8];  // NOLINT(modernize-avoid-c-arrays)
  _mm_store_si128(reinterpret_cast<__m128i*>(words), abef);
  _mm_store_si128(reinterpret_cast<__m128i*>(words + 4), cdgh);
  static constexpr int kLaneOf[8] = {3, 2, 7, 6, 1, 0, 5, 4};  // NOLINT(modernize-avoid-c-arrays)
  for (int at = 0; at < 8; at++) state[at] = words[kLaneOf[at]];
}

}  // namespace

Sha256::BlockFunction ArchSha256Blocks() { return HasShaExtensions() ? CompressBlocks : nullptr; }

}  // namespace halyard
