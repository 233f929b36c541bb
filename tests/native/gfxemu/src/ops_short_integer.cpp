#include "ops.h"
#include "valu.h"

#include <algorithm>

namespace gfxemu {
namespace {

template <class T> T median(T a, T b, T c) { return std::max(std::min(a, b), std::min(std::max(a, b), c)); }

template <bool Add, bool Signed> void add_sub(Wave &w, const Inst &i) {
  if (!i.clamp) ValuOp<U16(U16, U16), [](u16 a, u16 b) { return (u16)(Add ? a + b : a - b); }>::run(w, i);
  else if (Signed) ValuOp<I16(I16, I16), [](i16 a, i16 b) { return (i16)std::clamp(Add ? a + b : a - b, -32768, 32767); }>::run(w, i);
  else ValuOp<U16(U16, U16), [](u16 a, u16 b) { return (u16)std::clamp(Add ? a + b : a - b, 0, 65535); }>::run(w, i);
}
constexpr OpInfo two(const char *name, Handler run) { return {name, run, Class::Valu, Type::U16, {Type::U16, Type::U16, Type::None}, 0}; }

const OpInfo table[] = {
  two("v_add_u16", add_sub<true, false>), two("v_add_nc_u16", add_sub<true, false>),
  two("v_sub_u16", add_sub<false, false>), two("v_sub_nc_u16", add_sub<false, false>),
  two("v_add_i16", add_sub<true, true>), two("v_add_nc_i16", add_sub<true, true>),
  two("v_sub_i16", add_sub<false, true>), two("v_sub_nc_i16", add_sub<false, true>),
  valu<U16(U16, U16), [](u16 a, u16 b) { return (u16)(b - a); }>("v_subrev_u16"),
  valu<U16(U16, U16), [](u16 a, u16 b) { return (u16)((u32)a * b); }>("v_mul_lo_u16"),
  valu<U16(U16, U16), [](u16 a, u16 b) { return (u16)(b << (a & 15)); }>("v_lshlrev_b16"),
  valu<U16(U16, U16), [](u16 a, u16 b) { return (u16)(b >> (a & 15)); }>("v_lshrrev_b16"),
  valu<I16(U16, I16), [](u16 a, i16 b) { return (i16)(b >> (a & 15)); }>("v_ashrrev_i16"),
  valu<U16(U16, U16), [](u16 a, u16 b) { return (u16)(a & b); }>("v_and_b16"),
  valu<U16(U16, U16), [](u16 a, u16 b) { return (u16)(a | b); }>("v_or_b16"),
  valu<U16(U16, U16), [](u16 a, u16 b) { return (u16)(a ^ b); }>("v_xor_b16"),
  valu<U16(U16), [](u16 a) { return (u16)~a; }>("v_not_b16"),
  valu<U16(U16), [](u16 a) { return a; }>("v_mov_b16"),
  valu<U16(U16, U16), [](u16 a, u16 b) { return std::max(a, b); }>("v_max_u16"),
  valu<I16(I16, I16), [](i16 a, i16 b) { return std::max(a, b); }>("v_max_i16"),
  valu<U16(U16, U16), [](u16 a, u16 b) { return std::min(a, b); }>("v_min_u16"),
  valu<I16(I16, I16), [](i16 a, i16 b) { return std::min(a, b); }>("v_min_i16"),
  valu<U16(U16, U16, U16), [](u16 a, u16 b, u16 c) { return (u16)((u32)a * b + c); }>("v_mad_u16", KeepsHigh),
  valu<U16(U16, U16, U16), [](u16 a, u16 b, u16 c) { return (u16)((u32)a * b + c); }>("v_mad_i16", KeepsHigh),
  valu<U16(U16, U16, U16), [](u16 a, u16 b, u16 c) { return (u16)((u32)a * b + c); }>("v_mad_legacy_u16"),
  valu<U16(U16, U16, U16), [](u16 a, u16 b, u16 c) { return (u16)((u32)a * b + c); }>("v_mad_legacy_i16"),
  valu<U32(U16, U16, U32), [](u16 a, u16 b, u32 c) { return (u32)a * b + c; }>("v_mad_u32_u16"),
  valu<U32(I16, I16, U32), [](i16 a, i16 b, u32 c) { return (u32)((i32)a * b) + c; }>("v_mad_i32_i16"),
  valu<U16(U16, U16, U16), [](u16 a, u16 b, u16 c) { return std::min(std::min(a, b), c); }>("v_min3_u16", KeepsHigh),
  valu<I16(I16, I16, I16), [](i16 a, i16 b, i16 c) { return std::min(std::min(a, b), c); }>("v_min3_i16", KeepsHigh),
  valu<U16(U16, U16, U16), [](u16 a, u16 b, u16 c) { return std::max(std::max(a, b), c); }>("v_max3_u16", KeepsHigh),
  valu<I16(I16, I16, I16), [](i16 a, i16 b, i16 c) { return std::max(std::max(a, b), c); }>("v_max3_i16", KeepsHigh),
  valu<U16(U16, U16, U16), [](u16 a, u16 b, u16 c) { return median(a, b, c); }>("v_med3_u16", KeepsHigh),
  valu<I16(I16, I16, I16), [](i16 a, i16 b, i16 c) { return median(a, b, c); }>("v_med3_i16", KeepsHigh),
  valu<U32(H16, H16), [](u16 a, u16 b) { return a | (u32)b << 16; }>("v_pack_b32_f16"),
  valu<I32(I16), [](i16 a) { return (i32)a; }>("v_cvt_i32_i16"),
  valu<U32(U16), [](u16 a) { return (u32)a; }>("v_cvt_u32_u16"),
  valu<U16(U32), [](u32 a) {
    auto saturate = [](u32 x) { return (u32)std::clamp<i32>((i16)x, 0, 255); };
    return (u16)(saturate(a) | saturate(a >> 16) << 8);
  }>("v_sat_pk_u8_i16"),
};

}  // namespace

OpTable short_integer_ops() { return table; }

}  // namespace gfxemu
