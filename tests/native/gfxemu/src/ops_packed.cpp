#include "ops.h"
#include "packed.h"

#include <algorithm>

namespace gfxemu {
namespace {

void load_halves(Wave &w, const Inst &i, int k, bool high, float *to) {
  Lanes buffer, half;
  const u32 *row = raw_row(w, i, k, buffer);
  u32 shift = (u32)packed_shift(i, k, high), flip = packed_negated(i, k, high) ? 0x8000 : 0;
  for (int l = 0; l < MaxLanes; l++) half.v[l] = (row[l] >> shift & 0xffff) ^ flip;
  if (!(w.plain & 4)) flush_halves(half.v);
  halves_to_f32(half.v, to);
}

template <auto F, int Sources> void pk_f16(Wave &w, const Inst &i) {
  WideMode mode(w);
  Lanes halves[2];
  for (int high = 0; high < 2; high++) {
    alignas(64) float s[3][MaxLanes], r[MaxLanes];
    for (int k = 0; k < Sources; k++) load_halves(w, i, k, high, s[k]);
    for (int l = 0; l < MaxLanes; l++) {
      if constexpr (Sources == 2) r[l] = F(s[0][l], s[1][l]);
      else r[l] = F(s[0][l], s[1][l], s[2][l]);
    }
    if (i.clamp)
      for (float &x : r) x = x > 0 ? (x < 1 ? x : 1) : 0;
    f32_to_halves(r, halves[high].v);
    if (!(w.plain & 4)) flush_halves(halves[high].v);
  }
  for (int l = 0; l < MaxLanes; l++) halves[0].v[l] |= halves[1].v[l] << 16;
  write_row(w, i.dst, halves[0].v);
}

// F works on ints and may leave the 16 bits; what does is cut off, or saturated when clamped.
template <auto F, int Sources, bool Signed> void pk_16(Wave &w, const Inst &i) {
  Lanes buffers[3], r;
  const u32 *rows[3];
  for (int k = 0; k < Sources; k++) rows[k] = raw_row(w, i, k, buffers[k]);
  for (int l = 0; l < MaxLanes; l++) {
    u32 packed = 0;
    for (int high = 0; high < 2; high++) {
      int s[3] = {};
      for (int k = 0; k < Sources; k++) {
        u32 half = rows[k][l] >> packed_shift(i, k, high) & 0xffff;
        s[k] = Signed ? (int)(i16)half : (int)half;
      }
      i64 value = F(s[0], s[1], s[2]);
      if (i.clamp) value = Signed ? std::clamp<i64>(value, -32768, 32767) : std::clamp<i64>(value, 0, 65535);
      packed |= (u32)(value & 0xffff) << (high ? 16 : 0);
    }
    r.v[l] = packed;
  }
  write_row(w, i.dst, r.v);
}

// Two floats in a register pair; op_sel and op_sel_hi name the register of the pair.
template <auto F, int Sources> void pk_f32(Wave &w, const Inst &i) {
  WideLanes r;
  for (int high = 0; high < 2; high++) {
    Lanes s[3];
    for (int k = 0; k < Sources; k++) {
      u32 pick = (high ? i.opsel_hi : i.opsel) >> k & 1, reg = i.src[k];
      u32 flip = packed_negated(i, k, high) ? 0x80000000 : 0;
      if (reg >= Vgpr) {
        const u32 *row = w.row(reg + pick);
        for (int l = 0; l < MaxLanes; l++) s[k].v[l] = row[l] ^ flip;
      } else {
        u32 value = (reg < 128 && reg != NullReg ? w.s[reg + pick] : scalar(w, i, k)) ^ flip;
        for (u32 &x : s[k].v) x = value;
      }
    }
    u32 *to = high ? r.hi : r.lo;
    for (int l = 0; l < MaxLanes; l++) {
      float x;
      if constexpr (Sources == 1) x = as_f32(s[0].v[l]);
      else if constexpr (Sources == 2) x = F(as_f32(s[0].v[l]), as_f32(s[1].v[l]));
      else x = F(as_f32(s[0].v[l]), as_f32(s[1].v[l]), as_f32(s[2].v[l]));
      to[l] = as_u32(i.clamp ? (x > 0 ? (x < 1 ? x : 1) : 0) : x);
    }
  }
  write_wide(w, i.dst, r);
}
// v_pk_mov_b32: the low result from source 0, the high one from source 1.
void pk_mov(Wave &w, const Inst &i) {
  WideLanes r;
  for (int half = 0; half < 2; half++) {
    u32 reg = i.src[half], pick = i.opsel >> half & 1;
    u32 *to = half ? r.hi : r.lo;
    if (reg >= Vgpr) memcpy(to, w.row(reg + pick), sizeof r.lo);
    else std::fill_n(to, MaxLanes, reg < 128 ? w.s[reg + pick] : scalar(w, i, half));
  }
  write_wide(w, i.dst, r);
}

// v_fma_mix: each source is an f32, or the half that op_sel names where op_sel_hi is set.
void load_mixed(Wave &w, const Inst &i, int k, float *to) {
  Lanes buffer, half;
  const u32 *row = raw_row(w, i, k, buffer);
  if (i.opsel_hi >> k & 1) {
    u32 shift = i.opsel >> k & 1 ? 16 : 0;
    for (int l = 0; l < MaxLanes; l++) half.v[l] = row[l] >> shift & 0xffff;
    halves_to_f32(half.v, to);
  } else {
    for (int l = 0; l < MaxLanes; l++) to[l] = as_f32(row[l]);
  }
  bool abs = i.neg_hi >> k & 1, neg = i.neg >> k & 1;
  for (int l = 0; l < MaxLanes; l++) {
    if (abs) to[l] = std::fabs(to[l]);
    if (neg) to[l] = -to[l];
  }
}
template <int Half> void mix(Wave &w, const Inst &i) {  // -1: an f32, 0 and 1: that half
  alignas(64) float s[3][MaxLanes], r[MaxLanes];
  for (int k = 0; k < 3; k++) load_mixed(w, i, k, s[k]);
  Lanes bits;
  for (int l = 0; l < MaxLanes; l++) {
    r[l] = __builtin_fmaf(s[0][l], s[1][l], s[2][l]);
    if (i.clamp) r[l] = r[l] > 0 ? (r[l] < 1 ? r[l] : 1) : 0;
  }
  if (Half < 0) memcpy(bits.v, r, sizeof r);
  else {
    f32_to_halves(r, bits.v);
    const u32 *old = w.row(i.dst);
    for (int l = 0; l < MaxLanes; l++) bits.v[l] = Half == 0 ? (old[l] & 0xffff0000) | bits.v[l] : (old[l] & 0xffff) | bits.v[l] << 16;
  }
  write_row(w, i.dst, bits.v);
}

constexpr OpInfo pk(const char *name, Handler run, Type t, int sources, u16 flags = 0) {
  return {name, run, Class::Valu, t, {t, sources > 1 ? t : Type::None, sources > 2 ? t : Type::None}, (u16)(Packed | flags)};
}
constexpr OpInfo mixed(const char *name, Handler run, Type t) { return {name, run, Class::Valu, t, {Type::F32, Type::F32, Type::F32}, (u16)(Packed | MixedHalves)}; }
constexpr auto H = Type::PkF16;
constexpr auto S = Type::PkU16;
constexpr auto W = Type::PkF32;

const OpInfo table[] = {
  pk("v_pk_add_f16", pk_f16<[](float a, float b) { return a + b; }, 2>, H, 2),
  pk("v_pk_mul_f16", pk_f16<[](float a, float b) { return a * b; }, 2>, H, 2),
  pk("v_pk_min_f16", pk_f16<[](float a, float b) { return min_num(a, b); }, 2>, H, 2),
  pk("v_pk_max_f16", pk_f16<[](float a, float b) { return max_num(a, b); }, 2>, H, 2),
  pk("v_pk_fma_f16", pk_f16<fma_to_odd, 3>, H, 3),
  pk("v_pk_fmac_f16", pk_f16<fma_to_odd, 3>, H, 3, Accumulates),
  pk("v_pk_add_u16", pk_16<[](int a, int b, int) { return a + b; }, 2, false>, S, 2),
  pk("v_pk_add_i16", pk_16<[](int a, int b, int) { return a + b; }, 2, true>, S, 2),
  pk("v_pk_sub_u16", pk_16<[](int a, int b, int) { return a - b; }, 2, false>, S, 2),
  pk("v_pk_sub_i16", pk_16<[](int a, int b, int) { return a - b; }, 2, true>, S, 2),
  pk("v_pk_mul_lo_u16", pk_16<[](int a, int b, int) { return (i64)a * b; }, 2, false>, S, 2),
  pk("v_pk_mad_u16", pk_16<[](int a, int b, int c) { return (i64)a * b + c; }, 3, false>, S, 3),
  pk("v_pk_mad_i16", pk_16<[](int a, int b, int c) { return (i64)a * b + c; }, 3, true>, S, 3),
  pk("v_pk_lshlrev_b16", pk_16<[](int a, int b, int) { return b << (a & 15); }, 2, false>, S, 2),
  pk("v_pk_lshrrev_b16", pk_16<[](int a, int b, int) { return (b >> (a & 15)); }, 2, false>, S, 2),
  pk("v_pk_ashrrev_i16", pk_16<[](int a, int b, int) { return (b >> (a & 15)); }, 2, true>, S, 2),
  pk("v_pk_max_i16", pk_16<[](int a, int b, int) { return std::max(a, b); }, 2, true>, S, 2),
  pk("v_pk_min_i16", pk_16<[](int a, int b, int) { return std::min(a, b); }, 2, true>, S, 2),
  pk("v_pk_max_u16", pk_16<[](int a, int b, int) { return std::max(a, b); }, 2, false>, S, 2),
  pk("v_pk_min_u16", pk_16<[](int a, int b, int) { return std::min(a, b); }, 2, false>, S, 2),
  pk("v_pk_add_f32", pk_f32<[](float a, float b) { return a + b; }, 2>, W, 2),
  pk("v_pk_mul_f32", pk_f32<[](float a, float b) { return a * b; }, 2>, W, 2),
  pk("v_pk_fma_f32", pk_f32<[](float a, float b, float c) { return __builtin_fmaf(a, b, c); }, 3>, W, 3),
  pk("v_pk_mov_b32", pk_mov, W, 2),
  mixed("v_fma_mix_f32", mix<-1>, Type::F32),
  mixed("v_fma_mixlo_f16", mix<0>, Type::F16),
  mixed("v_fma_mixhi_f16", mix<1>, Type::F16),
};

}  // namespace

OpTable packed_ops() { return table; }

}  // namespace gfxemu
