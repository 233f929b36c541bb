#include "ops.h"
#include "valu.h"

namespace gfxemu {
namespace {

float mul_zero_wins(float a, float b) { return a == 0 || b == 0 ? 0.0f : a * b; }
float fract(float x) {
  float f = x - std::floor(x);
  return f > 0x1.fffffep-1f ? 0x1.fffffep-1f : f;
}
// Inputs are in turns. Beyond 256 turns the hardware's result is 0 (sine) or 1 (cosine).
float sine(float x) { return std::fabs(x) > 256 ? (x - x == 0 ? 0.0f : NAN) : (float)std::sin(6.283185307179586477 * (double)x); }
float cosine(float x) { return std::fabs(x) > 256 ? (x - x == 0 ? 1.0f : NAN) : (float)std::cos(6.283185307179586477 * (double)x); }
float reciprocal(float x) { return flush((float)(1.0 / (double)flush(x))); }
float ldexp32(float x, i32 e) { return std::scalbn(x, std::min(std::max(e, -400), 400)); }
i32 frexp_exponent(float x) {
  int e;
  if (!std::isfinite(x) || x == 0) return 0;
  std::frexp(x, &e);
  return e;
}
float frexp_mantissa(float x) {
  int e;
  return std::isfinite(x) ? std::frexp(x, &e) : x;
}

const OpInfo table[] = {
  valu<F32(F32, F32), [](float a, float b) { return a + b; }>("v_add_f32"),
  valu<F32(F32, F32), [](float a, float b) { return a - b; }>("v_sub_f32"),
  valu<F32(F32, F32), [](float a, float b) { return b - a; }>("v_subrev_f32"),
  valu<F32(F32, F32), [](float a, float b) { return a * b; }>("v_mul_f32"),
  valu<F32(F32, F32), mul_zero_wins>("v_mul_legacy_f32"),
  valu<F32(F32, F32), mul_zero_wins>("v_mul_dx9_zero_f32"),
  valu<F32(F32, F32), [](float a, float b) { return min_num(a, b); }>("v_min_f32"),
  valu<F32(F32, F32), [](float a, float b) { return max_num(a, b); }>("v_max_f32"),
  valu<F32(F32, F32, F32), [](float a, float b, float c) { return __builtin_fmaf(a, b, c); }>("v_fma_f32"),
  valu<F32(F32, F32, F32), [](float a, float b, float c) { return __builtin_fmaf(a, b, c); }>("v_fmac_f32", Accumulates),
  valu<F32(F32, F32, F32), [](float a, float b, float c) { return __builtin_fmaf(a, b, c); }>("v_fmamk_f32", LiteralThird),
  valu<F32(F32, F32, F32), [](float a, float b, float c) { return __builtin_fmaf(a, b, c); }>("v_fmaak_f32", LiteralThird),
  valu<F32(F32, F32, F32), [](float a, float b, float c) { return mul_zero_wins(a, b) + c; }>("v_fmac_dx9_zero_f32", Accumulates),
  valu<F32(F32, F32, F32), [](float a, float b, float c) { return a == 0 || b == 0 ? c : __builtin_fmaf(a, b, c); }>("v_fma_dx9_zero_f32"),
  valu<F32(F32, F32, F32), [](float a, float b, float c) { return min_num(min_num(a, b), c); }>("v_min3_f32"),
  valu<F32(F32, F32, F32), [](float a, float b, float c) { return max_num(max_num(a, b), c); }>("v_max3_f32"),
  valu<F32(F32, F32, F32), [](float a, float b, float c) { return med3(a, b, c); }>("v_med3_f32"),
  valu<F32(F32, F32, F32), [](float a, float b, float c) { return max_num(min_num(a, b), c); }>("v_minmax_f32"),
  valu<F32(F32, F32, F32), [](float a, float b, float c) { return min_num(max_num(a, b), c); }>("v_maxmin_f32"),
  valu<F32(F32, I32), ldexp32>("v_ldexp_f32"),
  valu<F32(F32), fract>("v_fract_f32"),
  valu<F32(F32), [](float x) { return std::trunc(x); }>("v_trunc_f32"),
  valu<F32(F32), [](float x) { return std::ceil(x); }>("v_ceil_f32"),
  valu<F32(F32), [](float x) { return std::floor(x); }>("v_floor_f32"),
  valu<F32(F32), [](float x) { return _mm_cvtss_f32(_mm_round_ss(_mm_setzero_ps(), _mm_set_ss(x), _MM_FROUND_TO_NEAREST_INT)); }>("v_rndne_f32"),
  trans<F32(F32), exp2_flushed>("v_exp_f32"),
  trans<F32(F32), log2_flushed>("v_log_f32"),
  trans<F32(F32), exp2_flushed>("v_exp_legacy_f32"),
  trans<F32(F32), log2_flushed>("v_log_legacy_f32"),
  trans<F32(F32), reciprocal>("v_rcp_f32"),
  trans<F32(F32), reciprocal>("v_rcp_iflag_f32"),
  trans<F32(F32), [](float x) { return (float)(1.0 / std::sqrt((double)flush(x))); }>("v_rsq_f32"),
  trans<F32(F32), [](float x) { return (float)std::sqrt((double)flush(x)); }>("v_sqrt_f32"),
  trans<F32(F32), sine>("v_sin_f32"),
  trans<F32(F32), cosine>("v_cos_f32"),
  valu<I32(F32), frexp_exponent>("v_frexp_exp_i32_f32"),
  valu<F32(F32), frexp_mantissa>("v_frexp_mant_f32"),
};

}  // namespace

OpTable f32_ops() { return table; }

}  // namespace gfxemu
