#include "sha256.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace halyard {

// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
const std::array<uint32_t, 64> Sha256::kRound = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

namespace {

uint32_t BigEndian(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

void CompressPortably(uint32_t* state, const uint8_t* block) {
  std::array<uint32_t, 64> w;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  for (size_t t = 0; t < 16; t++) w[t] = BigEndian(block + t * 4);
  for (size_t t = 16; t < 64; t++) {
    const uint32_t s0 = std::rotr(w[t - 15], 7) ^ std::rotr(w[t - 15], 18) ^ (w[t - 15] >> 3);
    const uint32_t s1 = std::rotr(w[t - 2], 17) ^ std::rotr(w[t - 2], 19) ^ (w[t - 2] >> 10);
    w[t] = w[t - 16] + s0 + w[t - 7] + s1;
  }
  uint32_t a = state[0];
  uint32_t b = state[1];
  uint32_t c = state[2];
  uint32_t d = state[3];
  uint32_t e = state[4];
  uint32_t f = state[5];
  uint32_t g = state[6];
  uint32_t h = state[7];
  for (size_t t = 0; t < 64; t++) {
    const uint32_t sum1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const uint32_t t1 = h + sum1 + ((e & f) ^ (~e & g)) + Sha256::kRound[t] + w[t];
    const uint32_t sum0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const uint32_t t2 = sum0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  const std::array<uint32_t, 8> working = {a, b, c, d, e, f, g, h};
  for (size_t i = 0; i < working.size(); i++) state[i] += working[i];
}

void CompressBlocks(uint32_t* state, const uint8_t* blocks, size_t count) {
  for (size_t at = 0; at < count; at++) CompressPortably(state, blocks + at * Sha256::kBlockBytes);
}

}  // namespace

void Sha256::Compress(const uint8_t* blocks, size_t count) {
  static const BlockFunction arch = ArchSha256Blocks();
  (arch != nullptr ? arch : CompressBlocks)(state_.data(), blocks, count);
}

void Sha256::Update(const uint8_t* data, size_t length) {
  total_bytes_ += length;
  while (length > 0) {
    if (pending_length_ == 0 && length >= kBlockBytes) {
      const size_t whole = length / kBlockBytes;
      Compress(data, whole);
      data += whole * kBlockBytes;
      length -= whole * kBlockBytes;
      continue;
    }
    const size_t part = std::min(length, kBlockBytes - pending_length_);
    std::memcpy(pending_.data() + pending_length_, data, part);
    pending_length_ += part;
    data += part;
    length -= part;
    if (pending_length_ == kBlockBytes) {
      Compress(pending_.data(), 1);
      pending_length_ = 0;
    }
  }
}

std::string Sha256::Finish() {
  const uint64_t bits = total_bytes_ * 8;
  const uint8_t one = 0x80;
  const uint8_t zero = 0;
  Update(&one, 1);
  while (pending_length_ != kBlockBytes - 8) Update(&zero, 1);
  std::array<uint8_t, 8> length = {};
  for (size_t i = 0; i < 8; i++) length[i] = static_cast<uint8_t>(bits >> (56 - 8 * i));
  Update(length.data(), length.size());
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const uint32_t word : state_) {
    for (int shift = 28; shift >= 0; shift -= 4) hex += kDigits[(word >> shift) & 15];
  }
  return hex;
}

}  // namespace halyard
