// Additions and subtractions: with carries, and with results that saturate when clamped.
#include "ops.h"
#include "valu.h"

#include <algorithm>

namespace gfxemu {
namespace {

enum class Arithmetic { Add, Sub, SubRev };

u64 combine(Arithmetic a, u32 x, u32 y, u32 carry) {
  if (a == Arithmetic::Add) return (u64)x + y + carry;
  return a == Arithmetic::Sub ? (u64)x - y - carry : (u64)y - x - carry;
}

template <Arithmetic A, bool In, bool Out> void with_carry(Wave &w, const Inst &i) {
  Lanes b0, b1, r;
  const u32 *x = fetch(w, i, 0, b0), *y = fetch(w, i, 1, b1);
  u64 in = 0, out = 0;
  if (In) in = i.src[2] < 128 ? w.mask_read(i.src[2]) : i.k[2];
  for (int l = 0; l < MaxLanes; l++) {
    u64 sum = combine(A, x[l], y[l], In ? (u32)(in >> l & 1) : 0);
    u64 carry = sum >> 32 & 1;
    r.v[l] = i.clamp && carry ? (A == Arithmetic::Add ? 0xffffffff : 0) : (u32)sum;
    out |= carry << l;
  }
  write_row(w, i.dst, r.v);
  if (Out) w.mask_write(i.sdst, out & w.exec);
}

template <Arithmetic A> void plain(Wave &w, const Inst &i) {
  if (i.clamp) { with_carry<A, false, false>(w, i); return; }
  ValuOp<U32(U32, U32), [](u32 a, u32 b) { return (u32)combine(A, a, b, 0); }>::run(w, i);
}

template <Arithmetic A> void signed_plain(Wave &w, const Inst &i) {
  if (!i.clamp) { plain<A>(w, i); return; }
  ValuOp<I32(I32, I32), [](i32 a, i32 b) {
    i64 sum = A == Arithmetic::Add ? (i64)a + b : (i64)a - b;
    return (i32)std::clamp<i64>(sum, INT32_MIN, INT32_MAX);
  }>::run(w, i);
}

template <bool Signed> void mad_64(Wave &w, const Inst &i) {
  Lanes b0, b1;
  WideLanes b2, r;
  const u32 *x = fetch(w, i, 0, b0), *y = fetch(w, i, 1, b1);
  WideRows z = fetch_wide(w, i, 2, b2);
  u64 out = 0;
  for (int l = 0; l < MaxLanes; l++) {
    u64 add = join(z.lo[l], z.hi[l]), sum, carry;
    if (Signed) {
      __int128 t = (__int128)((i64)(i32)x[l] * (i32)y[l]) + (i64)add;
      sum = (u64)t;
      carry = (u64)(t >> 64) & 1;
    } else {
      unsigned __int128 t = (unsigned __int128)((u64)x[l] * y[l]) + add;
      sum = (u64)t;
      carry = (u64)(t >> 64) & 1;
    }
    r.lo[l] = (u32)sum;
    r.hi[l] = (u32)(sum >> 32);
    out |= carry << l;
  }
  write_wide(w, i.dst, r);
  w.mask_write(i.sdst, out & w.exec);
}

constexpr OpInfo op(const char *name, Handler run, u16 flags) {
  return {name, run, Class::Valu, Type::U32, {Type::U32, Type::U32, flags & CarryIn ? Type::Mask : Type::None}, flags};
}
constexpr auto Add = Arithmetic::Add;
constexpr auto Sub = Arithmetic::Sub;
constexpr auto Rev = Arithmetic::SubRev;

const OpInfo table[] = {
  op("v_add_u32", plain<Add>, 0), op("v_add_nc_u32", plain<Add>, 0),
  op("v_sub_u32", plain<Sub>, 0), op("v_sub_nc_u32", plain<Sub>, 0),
  op("v_subrev_u32", plain<Rev>, 0), op("v_subrev_nc_u32", plain<Rev>, 0),
  op("v_add_i32", signed_plain<Add>, 0), op("v_add_nc_i32", signed_plain<Add>, 0),
  op("v_sub_i32", signed_plain<Sub>, 0), op("v_sub_nc_i32", signed_plain<Sub>, 0),
  op("v_add_co_u32", with_carry<Add, false, true>, CarryOut),
  op("v_sub_co_u32", with_carry<Sub, false, true>, CarryOut),
  op("v_subrev_co_u32", with_carry<Rev, false, true>, CarryOut),
  op("v_addc_co_u32", with_carry<Add, true, true>, CarryOut | CarryIn), op("v_add_co_ci_u32", with_carry<Add, true, true>, CarryOut | CarryIn),
  op("v_subb_co_u32", with_carry<Sub, true, true>, CarryOut | CarryIn), op("v_sub_co_ci_u32", with_carry<Sub, true, true>, CarryOut | CarryIn),
  op("v_subbrev_co_u32", with_carry<Rev, true, true>, CarryOut | CarryIn), op("v_subrev_co_ci_u32", with_carry<Rev, true, true>, CarryOut | CarryIn),
  {"v_mad_u64_u32", mad_64<false>, Class::Valu, Type::U64, {Type::U32, Type::U32, Type::U64}, CarryOut},
  {"v_mad_i64_i32", mad_64<true>, Class::Valu, Type::U64, {Type::U32, Type::U32, Type::I64}, CarryOut},
};

}  // namespace

OpTable carry_ops() { return table; }

}  // namespace gfxemu
