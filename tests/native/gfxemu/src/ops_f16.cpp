#include "ops.h"
#include "valu.h"

#include <algorithm>

namespace gfxemu {

// a * b + c with the bits that f32 cannot hold kept as a sticky bit, so that rounding to f16 happens once.
float fma_to_odd(float a, float b, float c) {
  float p = a * b, s = p + c, t = s - p, e = (p - (s - t)) + (c - t);
  u32 bits = as_u32(s);
  bool adjust = e != 0 && !(bits & 1) && std::fabs(s) < INFINITY;
  return as_f32(adjust ? bits + ((as_u32(e) ^ bits) >> 31 ? -1 : 1) : bits);
}

namespace {

float frexp_mantissa(float x) {
  int e;
  return std::isfinite(x) ? std::frexp(x, &e) : x;
}
i16 frexp_exponent(float x) {
  int e = 0;
  if (std::isfinite(x) && x != 0) std::frexp(x, &e);
  return (i16)e;
}
float fract(float x) {
  float f = x - std::floor(x);
  return f > 0x1.ffcp-1f ? 0x1.ffcp-1f : f;
}
float rndne(float x) { return _mm_cvtss_f32(_mm_round_ss(_mm_setzero_ps(), _mm_set_ss(x), _MM_FROUND_TO_NEAREST_INT)); }
float ldexp16(float x, i16 e) { return std::scalbn(x, std::min(std::max((int)e, -80), 80)); }

const OpInfo table[] = {
  valu<F16(F16, F16), [](float a, float b) { return a + b; }>("v_add_f16"),
  valu<F16(F16, F16), [](float a, float b) { return a - b; }>("v_sub_f16"),
  valu<F16(F16, F16), [](float a, float b) { return b - a; }>("v_subrev_f16"),
  valu<F16(F16, F16), [](float a, float b) { return a * b; }>("v_mul_f16"),
  valu<F16(F16, F16), [](float a, float b) { return min_num(a, b); }>("v_min_f16"),
  valu<F16(F16, F16), [](float a, float b) { return max_num(a, b); }>("v_max_f16"),
  valu<F16(F16, I16), ldexp16>("v_ldexp_f16"),
  valu<F16(F16, F16, F16), fma_to_odd>("v_fma_f16", KeepsHigh),
  valu<F16(F16, F16, F16), fma_to_odd>("v_fma_legacy_f16"),
  valu<F16(F16, F16, F16), fma_to_odd>("v_fmac_f16", Accumulates),
  valu<F16(F16, F16, F16), fma_to_odd>("v_fmamk_f16", LiteralThird),
  valu<F16(F16, F16, F16), fma_to_odd>("v_fmaak_f16", LiteralThird),
  valu<F16(F16, F16, F16), [](float a, float b, float c) { return half_to_f32(f32_to_half(a * b)) + c; }>("v_mad_f16", KeepsHigh),
  valu<F16(F16, F16, F16), [](float a, float b, float c) { return half_to_f32(f32_to_half(a * b)) + c; }>("v_mad_legacy_f16"),
  valu<F16(F16, F16, F16), [](float a, float b, float c) { return half_to_f32(f32_to_half(a * b)) + c; }>("v_mac_f16", Accumulates),
  valu<F16(F16, F16, F16), [](float a, float b, float c) { return half_to_f32(f32_to_half(a * b)) + c; }>("v_madmk_f16", LiteralThird),
  valu<F16(F16, F16, F16), [](float a, float b, float c) { return half_to_f32(f32_to_half(a * b)) + c; }>("v_madak_f16", LiteralThird),
  valu<F16(F16, F16, F16), [](float a, float b, float c) { return min_num(min_num(a, b), c); }>("v_min3_f16", KeepsHigh),
  valu<F16(F16, F16, F16), [](float a, float b, float c) { return max_num(max_num(a, b), c); }>("v_max3_f16", KeepsHigh),
  valu<F16(F16, F16, F16), [](float a, float b, float c) { return med3(a, b, c); }>("v_med3_f16", KeepsHigh),
  valu<F16(F16, F16, F16), [](float a, float b, float c) { return max_num(min_num(a, b), c); }>("v_minmax_f16"),
  valu<F16(F16, F16, F16), [](float a, float b, float c) { return min_num(max_num(a, b), c); }>("v_maxmin_f16"),
  valu<F16(F16), fract>("v_fract_f16"),
  valu<F16(F16), [](float x) { return std::trunc(x); }>("v_trunc_f16"),
  valu<F16(F16), [](float x) { return std::ceil(x); }>("v_ceil_f16"),
  valu<F16(F16), [](float x) { return std::floor(x); }>("v_floor_f16"),
  valu<F16(F16), rndne>("v_rndne_f16"),
  valu<F16(F16), frexp_mantissa>("v_frexp_mant_f16"),
  valu<I16(F16), frexp_exponent>("v_frexp_exp_i16_f16"),
  trans<F16(F16), [](float x) { return (float)std::exp2((double)x); }>("v_exp_f16"),
  trans<F16(F16), [](float x) { return (float)std::log2((double)x); }>("v_log_f16"),
  trans<F16(F16), [](float x) { return 1.0f / x; }>("v_rcp_f16"),
  trans<F16(F16), [](float x) { return (float)(1.0 / std::sqrt((double)x)); }>("v_rsq_f16"),
  trans<F16(F16), [](float x) { return std::sqrt(x); }>("v_sqrt_f16"),
  trans<F16(F16), [](float x) { return (float)std::sin(6.283185307179586477 * (double)x); }>("v_sin_f16"),
  trans<F16(F16), [](float x) { return (float)std::cos(6.283185307179586477 * (double)x); }>("v_cos_f16"),
};

}  // namespace

OpTable f16_ops() { return table; }

}  // namespace gfxemu
