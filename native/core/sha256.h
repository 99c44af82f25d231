// SHA-256 (FIPS 180-4), so that what was moved can be named without passing it through JavaScript.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace halyard {

class Sha256 {
 public:
  static constexpr size_t kBlockBytes = 64;
  /// The round constants (FIPS 180-4, 4.2.2).
  static const std::array<uint32_t, 64> kRound;
  /// Takes whole blocks into the eight words of the state.
  using BlockFunction = void (*)(uint32_t* state, const uint8_t* blocks, size_t count);

  void Update(const uint8_t* data, size_t length);
  /// Ends the message; the digest in lower-case hexadecimal.
  std::string Finish();

 private:
  void Compress(const uint8_t* blocks, size_t count);

  std::array<uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<uint8_t, kBlockBytes> pending_ = {};
  size_t pending_length_ = 0;
  uint64_t total_bytes_ = 0;
};

/// What this processor does better than portable code, or nullptr. In `arch/`.
Sha256::BlockFunction ArchSha256Blocks();

}  // namespace halyard
