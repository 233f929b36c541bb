#include "ops.h"
#include "valu.h"

#include <algorithm>

namespace gfxemu {
namespace {

i32 sext24(u32 x) { return (i32)(x << 8) >> 8; }
u32 zext24(u32 x) { return x & 0xffffff; }
template <class T> T median(T a, T b, T c) { return std::max(std::min(a, b), std::min(std::max(a, b), c)); }

u32 bfe_u32(u32 a, u32 b, u32 c) { return a >> (b & 31) & ((1u << (c & 31)) - 1); }
i32 bfe_i32(u32 a, u32 b, u32 c) {
  u32 offset = b & 31, width = c & 31;
  if (width == 0) return 0;
  if (offset + width >= 32) return (i32)a >> offset;
  return (i32)(a << (32 - offset - width)) >> (32 - width);
}
u32 perm(u32 a, u32 b, u32 selector) {
  u64 bytes = (u64)a << 32 | b;
  u32 r = 0;
  for (int k = 0; k < 4; k++) {
    u32 s = selector >> (8 * k) & 255, v;
    if (s < 8) v = bytes >> (8 * s) & 255;
    else if (s < 12) v = bytes >> (16 * (s - 8) + 15) & 1 ? 255 : 0;
    else v = s == 12 ? 0 : 255;
    r |= v << (8 * k);
  }
  return r;
}
u32 sad_u8(u32 a, u32 b, u32 c) {
  for (int k = 0; k < 32; k += 8) c += (u32)std::abs((int)(a >> k & 255) - (int)(b >> k & 255));
  return c;
}
u32 msad_u8(u32 a, u32 b, u32 c) {
  for (int k = 0; k < 32; k += 8)
    if (b >> k & 255) c += (u32)std::abs((int)(a >> k & 255) - (int)(b >> k & 255));
  return c;
}
u32 sad_u16(u32 a, u32 b, u32 c) {
  for (int k = 0; k < 32; k += 16) c += (u32)std::abs((int)(a >> k & 0xffff) - (int)(b >> k & 0xffff));
  return c;
}
u32 bit_reverse(u32 x) {
  x = (x >> 1 & 0x55555555) | (x & 0x55555555) << 1;
  x = (x >> 2 & 0x33333333) | (x & 0x33333333) << 2;
  x = (x >> 4 & 0x0f0f0f0f) | (x & 0x0f0f0f0f) << 4;
  return __builtin_bswap32(x);
}
// Leading bits equal to the sign; -1 when all are.
i32 leading_sign(u32 x) {
  u32 y = (i32)x < 0 ? ~x : x;
  return y ? std::countl_zero(y) : -1;
}

void mbcnt(Wave &w, const Inst &i, bool high) {
  Lanes b0, b1, r;
  const u32 *m = fetch(w, i, 0, b0), *add = fetch(w, i, 1, b1);
  for (int l = 0; l < MaxLanes; l++) {
    u64 below = ((u64)1 << l) - 1;
    r.v[l] = add[l] + (u32)std::popcount(m[l] & (u32)(high ? below >> 32 : l >= 32 ? 0xffffffff : below));
  }
  write_row(w, i.dst, r.v);
}

const OpInfo table[] = {
  valu<U32(U32), [](u32 a) { return a; }>("v_mov_b32"),
  valu<U32(U32), [](u32 a) { return ~a; }>("v_not_b32"),
  valu<U32(U32), bit_reverse>("v_bfrev_b32"),
  valu<I32(U32), [](u32 a) { return a ? std::countl_zero(a) : -1; }>("v_ffbh_u32"),
  valu<I32(U32), [](u32 a) { return a ? std::countl_zero(a) : -1; }>("v_clz_i32_u32"),
  valu<I32(U32), [](u32 a) { return a ? std::countr_zero(a) : -1; }>("v_ffbl_b32"),
  valu<I32(U32), [](u32 a) { return a ? std::countr_zero(a) : -1; }>("v_ctz_i32_b32"),
  valu<I32(U32), leading_sign>("v_ffbh_i32"),
  valu<I32(U32), leading_sign>("v_cls_i32"),
  valu<U32(U32, U32), [](u32 a, u32 b) { return a & b; }>("v_and_b32"),
  valu<U32(U32, U32), [](u32 a, u32 b) { return a | b; }>("v_or_b32"),
  valu<U32(U32, U32), [](u32 a, u32 b) { return a ^ b; }>("v_xor_b32"),
  valu<U32(U32, U32), [](u32 a, u32 b) { return ~(a ^ b); }>("v_xnor_b32"),
  valu<U32(U32, U32), [](u32 a, u32 b) { return (b << (a & 31)); }>("v_lshlrev_b32"),
  valu<U32(U32, U32), [](u32 a, u32 b) { return (b >> (a & 31)); }>("v_lshrrev_b32"),
  valu<I32(U32, I32), [](u32 a, i32 b) { return (b >> (a & 31)); }>("v_ashrrev_i32"),
  valu<U32(U32, U32), [](u32 a, u32 b) { return std::min(a, b); }>("v_min_u32"),
  valu<U32(U32, U32), [](u32 a, u32 b) { return std::max(a, b); }>("v_max_u32"),
  valu<I32(I32, I32), [](i32 a, i32 b) { return std::min(a, b); }>("v_min_i32"),
  valu<I32(I32, I32), [](i32 a, i32 b) { return std::max(a, b); }>("v_max_i32"),
  valu<I32(U32, U32), [](u32 a, u32 b) { return (i32)((u32)sext24(a) * (u32)sext24(b)); }>("v_mul_i32_i24"),
  valu<U32(U32, U32), [](u32 a, u32 b) { return (u32)((i64)sext24(a) * sext24(b) >> 32); }>("v_mul_hi_i32_i24"),
  valu<U32(U32, U32), [](u32 a, u32 b) { return zext24(a) * zext24(b); }>("v_mul_u32_u24"),
  valu<U32(U32, U32), [](u32 a, u32 b) { return (u32)((u64)zext24(a) * zext24(b) >> 32); }>("v_mul_hi_u32_u24"),
  valu<U32(U32, U32), [](u32 a, u32 b) { return a * b; }>("v_mul_lo_u32"),
  valu<U32(U32, U32), [](u32 a, u32 b) { return (u32)((u64)a * b >> 32); }>("v_mul_hi_u32"),
  valu<U32(I32, I32), [](i32 a, i32 b) { return (u32)((i64)a * b >> 32); }>("v_mul_hi_i32"),
  valu<U32(U32, U32, U32), [](u32 a, u32 b, u32 c) { return (u32)sext24(a) * (u32)sext24(b) + c; }>("v_mad_i32_i24"),
  valu<U32(U32, U32, U32), [](u32 a, u32 b, u32 c) { return zext24(a) * zext24(b) + c; }>("v_mad_u32_u24"),
  valu<U32(U32, U32), [](u32 a, u32 b) { return ((1u << (a & 31)) - 1) << (b & 31); }>("v_bfm_b32"),
  valu<U32(U32, U32), [](u32 a, u32 b) { return (u32)std::popcount(a) + b; }>("v_bcnt_u32_b32"),
  valu<U32(U32, U32, U32), bfe_u32>("v_bfe_u32"),
  valu<I32(U32, U32, U32), bfe_i32>("v_bfe_i32"),
  valu<U32(U32, U32, U32), [](u32 a, u32 b, u32 c) { return (a & b) | (~a & c); }>("v_bfi_b32"),
  valu<U32(U32, U32, U32), [](u32 a, u32 b, u32 c) { return (u32)(join(b, a) >> (c & 31)); }>("v_alignbit_b32"),
  valu<U32(U32, U32, U32), [](u32 a, u32 b, u32 c) { return (u32)(join(b, a) >> (8 * (c & 3))); }>("v_alignbyte_b32"),
  valu<U32(U32, U32, U32), perm>("v_perm_b32"),
  valu<I32(I32, I32, I32), [](i32 a, i32 b, i32 c) { return std::min(std::min(a, b), c); }>("v_min3_i32"),
  valu<U32(U32, U32, U32), [](u32 a, u32 b, u32 c) { return std::min(std::min(a, b), c); }>("v_min3_u32"),
  valu<I32(I32, I32, I32), [](i32 a, i32 b, i32 c) { return std::max(std::max(a, b), c); }>("v_max3_i32"),
  valu<U32(U32, U32, U32), [](u32 a, u32 b, u32 c) { return std::max(std::max(a, b), c); }>("v_max3_u32"),
  valu<I32(I32, I32, I32), [](i32 a, i32 b, i32 c) { return median(a, b, c); }>("v_med3_i32"),
  valu<U32(U32, U32, U32), [](u32 a, u32 b, u32 c) { return median(a, b, c); }>("v_med3_u32"),
  valu<I32(I32, I32, I32), [](i32 a, i32 b, i32 c) { return std::max(std::min(a, b), c); }>("v_minmax_i32"),
  valu<U32(U32, U32, U32), [](u32 a, u32 b, u32 c) { return std::max(std::min(a, b), c); }>("v_minmax_u32"),
  valu<I32(I32, I32, I32), [](i32 a, i32 b, i32 c) { return std::min(std::max(a, b), c); }>("v_maxmin_i32"),
  valu<U32(U32, U32, U32), [](u32 a, u32 b, u32 c) { return std::min(std::max(a, b), c); }>("v_maxmin_u32"),
  valu<U32(U32, U32, U32), sad_u8>("v_sad_u8"),
  valu<U32(U32, U32, U32), [](u32 a, u32 b, u32 c) { return (sad_u8(a, b, 0) << 16) + c; }>("v_sad_hi_u8"),
  valu<U32(U32, U32, U32), msad_u8>("v_msad_u8"),
  valu<U32(U32, U32, U32), sad_u16>("v_sad_u16"),
  valu<U32(U32, U32, U32), [](u32 a, u32 b, u32 c) { return (a > b ? a - b : b - a) + c; }>("v_sad_u32"),
  valu<U32(U32, U32, U32), [](u32 a, u32 b, u32 c) { return (a ^ b) + c; }>("v_xad_u32"),
  valu<U32(U32, U32, U32), [](u32 a, u32 b, u32 c) { return a ^ b ^ c; }>("v_xor3_b32"),
  valu<U32(U32, U32, U32), [](u32 a, u32 b, u32 c) { return (a << (b & 31)) + c; }>("v_lshl_add_u32"),
  valu<U32(U32, U32, U32), [](u32 a, u32 b, u32 c) { return (a + b) << (c & 31); }>("v_add_lshl_u32"),
  valu<U32(U32, U32, U32), [](u32 a, u32 b, u32 c) { return a + b + c; }>("v_add3_u32"),
  valu<U32(U32, U32, U32), [](u32 a, u32 b, u32 c) { return a << (b & 31) | c; }>("v_lshl_or_b32"),
  valu<U32(U32, U32, U32), [](u32 a, u32 b, u32 c) { return (a & b) | c; }>("v_and_or_b32"),
  valu<U32(U32, U32, U32), [](u32 a, u32 b, u32 c) { return a | b | c; }>("v_or3_b32"),
  {"v_mbcnt_lo_u32_b32", [](Wave &w, const Inst &i) { mbcnt(w, i, false); }, Class::Valu, Type::U32, {Type::U32, Type::U32, Type::None}, 0},
  {"v_mbcnt_hi_u32_b32", [](Wave &w, const Inst &i) { mbcnt(w, i, true); }, Class::Valu, Type::U32, {Type::U32, Type::U32, Type::None}, 0},
};

}  // namespace

OpTable integer_ops() { return table; }

}  // namespace gfxemu
