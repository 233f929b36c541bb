#include "ops.h"
#include "valu.h"

#include <algorithm>

namespace gfxemu {
namespace {

double fract(double x) {
  double f = x - std::floor(x);
  return f > 0x1.fffffffffffffp-1 ? 0x1.fffffffffffffp-1 : f;
}
double rndne(double x) { return _mm_cvtsd_f64(_mm_round_sd(_mm_setzero_pd(), _mm_set_sd(x), _MM_FROUND_TO_NEAREST_INT)); }
double ldexp64(double x, i32 e) { return std::scalbn(x, std::min(std::max(e, -3000), 3000)); }
i32 frexp_exponent(double x) {
  int e = 0;
  if (std::isfinite(x) && x != 0) std::frexp(x, &e);
  return e;
}
double frexp_mantissa(double x) {
  int e;
  return std::isfinite(x) ? std::frexp(x, &e) : x;
}

const OpInfo table[] = {
  valu<F64(F64, F64), [](double a, double b) { return a + b; }>("v_add_f64"),
  valu<F64(F64, F64), [](double a, double b) { return a * b; }>("v_mul_f64"),
  valu<F64(F64, F64), [](double a, double b) { return min_num(a, b); }>("v_min_f64"),
  valu<F64(F64, F64), [](double a, double b) { return max_num(a, b); }>("v_max_f64"),
  valu<F64(F64, F64, F64), [](double a, double b, double c) { return __builtin_fma(a, b, c); }>("v_fma_f64"),
  valu<F64(F64, F64, F64), [](double a, double b, double c) { return __builtin_fma(a, b, c); }>("v_fmac_f64", Accumulates),
  valu<F64(F64, I32), ldexp64>("v_ldexp_f64"),
  valu<F64(F64), fract>("v_fract_f64"),
  valu<F64(F64), [](double x) { return std::trunc(x); }>("v_trunc_f64"),
  valu<F64(F64), [](double x) { return std::ceil(x); }>("v_ceil_f64"),
  valu<F64(F64), [](double x) { return std::floor(x); }>("v_floor_f64"),
  valu<F64(F64), rndne>("v_rndne_f64"),
  valu<I32(F64), frexp_exponent>("v_frexp_exp_i32_f64"),
  valu<F64(F64), frexp_mantissa>("v_frexp_mant_f64"),
  trans<F64(F64), [](double x) { return 1.0 / x; }>("v_rcp_f64"),
  trans<F64(F64), [](double x) { return 1.0 / std::sqrt(x); }>("v_rsq_f64"),
  trans<F64(F64), [](double x) { return std::sqrt(x); }>("v_sqrt_f64"),
};

}  // namespace

OpTable f64_ops() { return table; }

}  // namespace gfxemu
