// Integers, bit casts and the small floating-point formats.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <immintrin.h>

namespace gfxemu {

using u8 = uint8_t;
using u16 = uint16_t;
using u32 = uint32_t;
using u64 = uint64_t;
using i8 = int8_t;
using i16 = int16_t;
using i32 = int32_t;
using i64 = int64_t;

inline float as_f32(u32 x) { return std::bit_cast<float>(x); }
inline u32 as_u32(float x) { return std::bit_cast<u32>(x); }
inline double as_f64(u64 x) { return std::bit_cast<double>(x); }
inline u64 as_u64(double x) { return std::bit_cast<u64>(x); }
inline u64 join(u32 lo, u32 hi) { return lo | (u64)hi << 32; }

inline float half_to_f32(u16 x) { return _cvtsh_ss(x); }
// Rounds as MXCSR says.
inline u16 f32_to_half(float x) { return _cvtss_sh(x, _MM_FROUND_CUR_DIRECTION); }
inline u16 f32_to_half_rtz(float x) { return _cvtss_sh(x, _MM_FROUND_TO_ZERO); }
inline float bf16_to_f32(u16 x) { return as_f32((u32)x << 16); }

inline u16 f32_to_bf16(float x) {
  u32 b = as_u32(x);
  if ((b & 0x7fffffff) > 0x7f800000) return (u16)(b >> 16 | 0x40);
  return (u16)((b + 0x7fff + ((b >> 16) & 1)) >> 16);
}

// The 8-bit formats: E4M3 and E5M2, with the biases of gfx942 (FNUZ: no infinity, no minus zero, 0x80 is the only NaN).
enum class Fp8 : u8 { E4M3, E5M2 };
float fp8_to_f32(u8 x, Fp8 format);
const float *fp8_table(Fp8 format);  // of all 256 codes
// To nearest even; too large becomes NaN, or the largest value when saturate is set (MODE.FP16_OVFL).
u8 f32_to_fp8(float x, Fp8 format, bool saturate);
// Adds 32 - mantissa random bits below the kept mantissa and truncates.
u8 f32_to_fp8_stochastic(float x, Fp8 format, u32 random, bool saturate);

// 2^x, log2(x): correctly rounded but for rare cases of half an ulp, denormals flushed, as the transcendental unit does.
float exp2_flushed(float x);
float log2_flushed(float x);
inline float flush(float x) { return std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x; }

// IEEE minNum and maxNum with -0 below +0; a signaling NaN is quieted.
inline float quiet(float x) { return x != x ? as_f32(as_u32(x) | 0x400000) : x; }
inline float min_num(float a, float b) {
  if (a != a) return b != b ? quiet(a) : b;
  if (b != b) return a;
  if (a == b) return as_f32(as_u32(a) | as_u32(b));
  return a < b ? a : b;
}
inline float max_num(float a, float b) {
  if (a != a) return b != b ? quiet(a) : b;
  if (b != b) return a;
  if (a == b) return as_f32(as_u32(a) & as_u32(b));
  return a > b ? a : b;
}
inline double min_num(double a, double b) {
  if (a != a) return b;
  if (b != b) return a;
  if (a == b) return std::signbit(a) ? a : b;
  return a < b ? a : b;
}
inline double max_num(double a, double b) {
  if (a != a) return b;
  if (b != b) return a;
  if (a == b) return std::signbit(a) ? b : a;
  return a > b ? a : b;
}
template <class T> T med3(T a, T b, T c) {
  if (a != a || b != b || c != c) return min_num(min_num(a, b), c);
  return max_num(min_num(a, b), min_num(max_num(a, b), c));
}

}  // namespace gfxemu
