#include "ops.h"
#include "packed.h"

namespace gfxemu {
namespace {

float half_of(u32 x, bool bf16, int shift, bool negate) {
  float v = bf16 ? bf16_to_f32((u16)(x >> shift)) : half_to_f32((u16)(x >> shift));
  return negate ? -v : v;
}

// a.lo * b.lo + a.hi * b.hi + c, the products added to c one after the other.
template <bool Bf16> void dot2_f32(Wave &w, const Inst &i) {
  Lanes b0, b1, b2, r;
  const u32 *a = raw_row(w, i, 0, b0), *b = raw_row(w, i, 1, b1), *c = raw_row(w, i, 2, b2);
  bool packed = i.encoding == Encoding::Vop3p;
  for (int l = 0; l < MaxLanes; l++) {
    float sum = as_f32(c[l]);
    if (packed && i.neg & 4) sum = -sum;
    for (int h = 0; h < 2; h++) {
      int sa = packed ? packed_shift(i, 0, h) : 16 * h, sb = packed ? packed_shift(i, 1, h) : 16 * h;
      sum = __builtin_fmaf(half_of(a[l], Bf16, sa, packed && packed_negated(i, 0, h)), half_of(b[l], Bf16, sb, packed && packed_negated(i, 1, h)), sum);
    }
    r.v[l] = as_u32(i.clamp ? (sum > 0 ? (sum < 1 ? sum : 1) : 0) : sum);
  }
  write_row(w, i.dst, r.v);
}

// v_dot2_f16_f16 and v_dot2_bf16_bf16: the sum is rounded to the small type once.
template <bool Bf16> void dot2_16(Wave &w, const Inst &i) {
  Lanes b0, b1, b2, r;
  const u32 *a = raw_row(w, i, 0, b0), *b = raw_row(w, i, 1, b1), *c = raw_row(w, i, 2, b2);
  for (int l = 0; l < MaxLanes; l++) {
    float sum = half_of(c[l], Bf16, i.opsel >> 2 & 1 ? 16 : 0, false);
    for (int h = 0; h < 2; h++) sum = __builtin_fmaf(half_of(a[l], Bf16, 16 * h, false), half_of(b[l], Bf16, 16 * h, false), sum);
    r.v[l] = Bf16 ? f32_to_bf16(sum) : f32_to_half(sum);
  }
  finish_half(w, i, r);
}

template <int Bits> i64 element(u32 x, int k, bool is_signed) {
  u32 v = x >> (Bits * k) & ((1u << Bits) - 1);
  return is_signed && v >> (Bits - 1) ? (i64)v - (1 << Bits) : (i64)v;
}

// Bits wide elements; FromNeg: bits 0 and 1 of neg say which sources are signed.
template <int Bits, bool Signed, bool FromNeg> void dot_int(Wave &w, const Inst &i) {
  Lanes b0, b1, b2, r;
  const u32 *a = raw_row(w, i, 0, b0), *b = raw_row(w, i, 1, b1), *c = raw_row(w, i, 2, b2);
  bool sa = FromNeg ? i.neg & 1 : Signed, sb = FromNeg ? i.neg >> 1 & 1 : Signed;
  for (int l = 0; l < MaxLanes; l++) {
    i64 sum = Signed ? (i64)(i32)c[l] : (i64)c[l];
    for (int k = 0; k < 32 / Bits; k++) sum += element<Bits>(a[l], k, sa) * element<Bits>(b[l], k, sb);
    if (i.clamp) sum = Signed ? std::min<i64>(std::max<i64>(sum, INT32_MIN), INT32_MAX) : std::min<i64>(sum, UINT32_MAX);
    r.v[l] = (u32)sum;
  }
  write_row(w, i.dst, r.v);
}

constexpr OpInfo dot(const char *name, Handler run, Type half, Type sum, u16 flags) { return {name, run, Class::Valu, sum, {half, half, sum}, flags}; }

const OpInfo table[] = {
  dot("v_dot2_f32_f16", dot2_f32<false>, Type::PkF16, Type::F32, Packed),
  dot("v_dot2_f32_bf16", dot2_f32<true>, Type::PkBF16, Type::F32, Packed),
  dot("v_dot2c_f32_f16", dot2_f32<false>, Type::PkF16, Type::F32, Accumulates),
  dot("v_dot2acc_f32_f16", dot2_f32<false>, Type::PkF16, Type::F32, Accumulates),
  dot("v_dot2acc_f32_bf16", dot2_f32<true>, Type::PkBF16, Type::F32, Accumulates),
  dot("v_dot2_f16_f16", dot2_16<false>, Type::PkF16, Type::F16, 0),
  dot("v_dot2_bf16_bf16", dot2_16<true>, Type::PkBF16, Type::BF16, 0),
  dot("v_dot2_i32_i16", dot_int<16, true, false>, Type::PkU16, Type::U32, Packed),
  dot("v_dot2_u32_u16", dot_int<16, false, false>, Type::PkU16, Type::U32, Packed),
  dot("v_dot4_i32_i8", dot_int<8, true, false>, Type::U32, Type::U32, Packed),
  dot("v_dot4_u32_u8", dot_int<8, false, false>, Type::U32, Type::U32, Packed),
  dot("v_dot8_i32_i4", dot_int<4, true, false>, Type::U32, Type::U32, Packed),
  dot("v_dot8_u32_u4", dot_int<4, false, false>, Type::U32, Type::U32, Packed),
  dot("v_dot4_i32_iu8", dot_int<8, true, true>, Type::U32, Type::U32, Packed),
  dot("v_dot8_i32_iu4", dot_int<4, true, true>, Type::U32, Type::U32, Packed),
  dot("v_dot2c_i32_i16", dot_int<16, true, false>, Type::PkU16, Type::U32, Accumulates),
  dot("v_dot4c_i32_i8", dot_int<8, true, false>, Type::U32, Type::U32, Accumulates),
  dot("v_dot8c_i32_i4", dot_int<4, true, false>, Type::U32, Type::U32, Accumulates),
};

}  // namespace

OpTable dot_ops() { return table; }

}  // namespace gfxemu
