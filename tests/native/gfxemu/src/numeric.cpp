#include "numeric.h"

#include <array>

namespace gfxemu {
namespace {

// Mantissa bits; the exponent has the other 7 - m, the bias is one more than IEEE's.
constexpr int mantissa_bits(Fp8 f) { return f == Fp8::E4M3 ? 3 : 2; }
constexpr int bias(Fp8 f) { return f == Fp8::E4M3 ? 8 : 16; }

std::array<std::array<float, 256>, 2> make_tables() {
  std::array<std::array<float, 256>, 2> all{};
  for (int f = 0; f < 2; f++) {
    int m = mantissa_bits((Fp8)f), b = bias((Fp8)f);
    for (int x = 0; x < 256; x++) {
      int exponent = (x & 127) >> m, mantissa = x & ((1 << m) - 1);
      float v = exponent == 0 ? std::ldexp((float)mantissa, 1 - b - m) : std::ldexp((float)(mantissa | 1 << m), exponent - b - m);
      all[f][x] = x == 0x80 ? NAN : x & 0x80 ? -v : v;
    }
  }
  return all;
}
const std::array<std::array<float, 256>, 2> tables = make_tables();

u8 overflow(bool negative, bool saturate) { return saturate ? (u8)(0x7f | (negative ? 0x80 : 0)) : 0x80; }

// Rounds |x| = significand * 2^(exponent - 23) after adding `add` at the bit below the kept ones' weight.
template <class Add> u8 encode(float x, Fp8 format, bool saturate, Add add) {
  int m = mantissa_bits(format), b = bias(format);
  u32 bits = as_u32(x), sign = bits >> 31;
  if ((bits & 0x7fffffff) > 0x7f800000) return 0x80;
  if ((bits & 0x7fffffff) == 0x7f800000) return overflow(sign, saturate);
  int exponent = (int)((bits >> 23) & 255);
  u64 significand = bits & 0x7fffff;
  if (exponent) significand |= 0x800000; else exponent = 1;
  int e = exponent - 127;
  int drop = 23 - m;
  if (e < 1 - b) drop += 1 - b - e;
  if (drop > 40) return 0;
  u64 kept = add(significand << 8, drop + 8) >> (drop + 8);
  u32 code = (u32)kept;
  if (e >= 1 - b) code += (u32)(e + b - 1) << m;
  if (code > 0x7f) return overflow(sign, saturate);
  return code == 0 ? 0 : (u8)(code | sign << 7);
}

}  // namespace

float fp8_to_f32(u8 x, Fp8 format) { return tables[(int)format][x]; }

const float *fp8_table(Fp8 format) { return tables[(int)format].data(); }

u8 f32_to_fp8(float x, Fp8 format, bool saturate) {
  return encode(x, format, saturate, [](u64 s, int drop) { return s + (1ull << (drop - 1)) - 1 + ((s >> drop) & 1); });
}

u8 f32_to_fp8_stochastic(float x, Fp8 format, u32 random, bool saturate) {
  // The random number's high bits line up with the highest dropped bit of a normal result.
  int m = mantissa_bits(format);
  return encode(x, format, saturate, [random, m](u64 s, int drop) {
    u64 r = random >> (12 - (3 - m));
    return s + (drop - 8 - (23 - m) >= 0 ? (r << 8) << (drop - 8 - (23 - m)) : 0);
  });
}

float exp2_flushed(float x) {
  x = flush(x);
  return flush((float)std::exp2((double)x));
}

float log2_flushed(float x) {
  x = flush(x);
  return (float)std::log2((double)x);
}

}  // namespace gfxemu
