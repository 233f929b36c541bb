// The three steps of an IEEE division around a Newton iteration: v_div_scale, v_div_fmas, v_div_fixup.
#include "ops.h"
#include "valu.h"

namespace gfxemu {
namespace {

template <class T> struct Format;
template <> struct Format<float> {
  static constexpr int far = 96, small = 23, scale = 64, bias = 127;
  static int exponent(float x) { return (int)(as_u32(x) >> 23 & 255); }
  static float smallest() { return 0x1p-126f; }
  static bool same(float a, float b) { return as_u32(a) == as_u32(b); }
};
template <> struct Format<double> {
  static constexpr int far = 768, small = 53, scale = 128, bias = 1023;
  static int exponent(double x) { return (int)(as_u64(x) >> 52 & 2047); }
  static double smallest() { return 0x1p-1022; }
  static bool same(double a, double b) { return as_u64(a) == as_u64(b); }
};

template <class T> bool denormal(T x) { return x != 0 && std::fabs(x) < Format<T>::smallest(); }

// Whether 1 / d or n / d leaves the normal numbers, from the exponents where the type cannot show it.
bool quotient_denormal(float n, float d) { return std::fabs((double)n / (double)d) < 0x1p-126; }
bool quotient_denormal(double n, double d) { return std::fabs((long double)n / (long double)d) < 0x1p-1022L; }

// `s` is one of denominator and numerator; what is returned is that one scaled so that the iteration stays in range.
template <class T> T div_scale(T s, T d, T n, bool &flag, bool flushes) {
  using F = Format<T>;
  flag = false;
  if (n == 0 || d == 0 || (flushes && (denormal(n) || denormal(d)))) { flag = true; return (T)NAN; }
  if (n != n || d != d || std::isinf(n) || std::isinf(d)) return s;
  if (F::exponent(n) - F::exponent(d) >= F::far) { flag = true; return F::same(s, d) ? std::scalbn(s, F::scale) : s; }
  if (denormal(d)) return std::scalbn(s, F::scale);
  bool reciprocal = quotient_denormal((T)1, d), quotient = quotient_denormal(n, d);
  if (reciprocal && quotient) { flag = true; return F::same(s, d) ? std::scalbn(s, -F::scale) : s; }
  if (reciprocal) return std::scalbn(s, -F::scale);
  if (quotient || F::exponent(n) <= F::small) { flag = true; return F::same(s, n) ? std::scalbn(s, F::scale) : s; }
  return s;
}

template <class T> T div_fixup(T q, T d, T n) {
  bool negative = std::signbit(d) != std::signbit(n);
  if (n != n) return n + n;
  if (d != d) return d + d;
  if ((d == 0 && n == 0) || (std::isinf(d) && std::isinf(n))) return -(T)NAN;
  if (d == 0 || std::isinf(n)) return negative ? -(T)INFINITY : (T)INFINITY;
  if (std::isinf(d) || n == 0) return negative ? -(T)0 : (T)0;
  if (q != q) return negative ? -(T)INFINITY : (T)INFINITY;
  return negative ? -std::fabs(q) : std::fabs(q);
}

template <class T, class Tag> void scale(Wave &w, const Inst &i) {
  WideMode mode(w);
  typename Tag::Source a, d, n;
  a.load(w, i, 0);
  d.load(w, i, 1);
  n.load(w, i, 2);
  bool flushes = sizeof(T) == 4 ? !(w.mode >> 4 & 3) : !(w.mode >> 6 & 3);
  u64 flags = 0;
  WideLanes r;
  for (int l = 0; l < MaxLanes; l++) {
    if (!(w.exec >> l & 1)) continue;
    bool flag;
    T x = div_scale<T>(a.get(l), d.get(l), n.get(l), flag, flushes);
    flags |= (u64)flag << l;
    u64 bits = sizeof(T) == 4 ? as_u32((float)x) : as_u64((double)x);
    r.lo[l] = (u32)bits;
    r.hi[l] = (u32)(bits >> 32);
  }
  write_row(w, i.dst, r.lo);
  if (sizeof(T) == 8) write_row(w, i.dst + 1, r.hi);
  w.mask_write(i.sdst, flags & w.exec);
}

void fmas_f32(Wave &w, const Inst &i) {
  F32::Source a, b, c;
  a.load(w, i, 0);
  b.load(w, i, 1);
  c.load(w, i, 2);
  u64 vcc = w.mask_read(VCC);
  Lanes r;
  for (int l = 0; l < MaxLanes; l++) {
    float x = __builtin_fmaf(a.get(l), b.get(l), c.get(l));
    if (vcc >> l & 1) x *= Format<float>::exponent(c.get(l)) > 127 ? 0x1p64f : 0x1p-64f;
    r.v[l] = as_u32(x);
  }
  finish_f32(w, i, r);
}
void fmas_f64(Wave &w, const Inst &i) {
  WideMode mode(w);
  F64::Source a, b, c;
  a.load(w, i, 0);
  b.load(w, i, 1);
  c.load(w, i, 2);
  u64 vcc = w.mask_read(VCC);
  WideLanes r;
  for (int l = 0; l < MaxLanes; l++) {
    double x = __builtin_fma(a.get(l), b.get(l), c.get(l));
    if (vcc >> l & 1) x *= Format<double>::exponent(c.get(l)) > 1023 ? 0x1p128 : 0x1p-128;
    r.lo[l] = (u32)as_u64(x);
    r.hi[l] = (u32)(as_u64(x) >> 32);
  }
  finish_f64(w, i, r);
}

constexpr OpInfo three(const char *name, Handler run, Type t, u16 flags) { return {name, run, Class::Valu, t, {t, t, t}, flags}; }

const OpInfo table[] = {
  three("v_div_scale_f32", scale<float, F32>, Type::F32, CarryOut),
  three("v_div_scale_f64", scale<double, F64>, Type::F64, CarryOut),
  three("v_div_fmas_f32", fmas_f32, Type::F32, 0),
  three("v_div_fmas_f64", fmas_f64, Type::F64, 0),
  valu<F32(F32, F32, F32), [](float q, float d, float n) { return div_fixup(q, d, n); }>("v_div_fixup_f32"),
  valu<F64(F64, F64, F64), [](double q, double d, double n) { return div_fixup(q, d, n); }>("v_div_fixup_f64"),
  valu<F16(F16, F16, F16), [](float q, float d, float n) { return div_fixup(q, d, n); }>("v_div_fixup_f16", KeepsHigh),
  valu<F16(F16, F16, F16), [](float q, float d, float n) { return div_fixup(q, d, n); }>("v_div_fixup_legacy_f16"),
};

}  // namespace

OpTable division_ops() { return table; }

}  // namespace gfxemu
