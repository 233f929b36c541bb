#include "ops.h"
#include "valu.h"

#include <algorithm>

namespace gfxemu {
namespace {

template <class I, class F> I saturating(F x) {
  if (x != x) return 0;
  constexpr F lowest = (F)std::numeric_limits<I>::min();
  const F limit = std::ldexp((F)1, std::numeric_limits<I>::digits);
  if (x >= limit) return std::numeric_limits<I>::max();
  if (x <= lowest) return std::numeric_limits<I>::min();
  return (I)x;
}
i32 nearest_i32(float x) { return saturating<i32>(std::floor(x + 0.5f)); }
i32 floor_i32(float x) { return saturating<i32>(std::floor(x)); }
u32 f32_pair_rtz(float a, float b) { return f32_to_half_rtz(a) | (u32)f32_to_half_rtz(b) << 16; }
template <class T> u32 pair(T a, T b) { return (u16)a | (u32)(u16)b << 16; }
i16 norm_i16(float x) { return (i16)std::nearbyint(std::clamp(x != x ? 0 : x, -1.0f, 1.0f) * 32767.0f); }
u16 norm_u16(float x) { return (u16)std::nearbyint(std::clamp(x != x ? 0 : x, 0.0f, 1.0f) * 65535.0f); }
float off_i4(u32 x) { return (float)((i32)(x << 28) >> 28) * 0.0625f; }
u32 pk_u8(float x, u32 position, u32 old) {
  u32 shift = 8 * (position & 3);
  return (old & ~(255u << shift)) | (u32)std::clamp(x != x ? 0 : std::trunc(x), 0.0f, 255.0f) << shift;
}

template <int Byte> constexpr auto ubyte = [](u32 x) { return (float)(x >> (8 * Byte) & 255); };

// ---- the 8-bit formats of gfx942
template <Fp8 F> void unpack_fp8(Wave &w, const Inst &i) {
  Lanes b0, r;
  const u32 *x = fetch(w, i, 0, b0);
  u32 shift = i.encoding == Encoding::Vop3 ? 8 * (i.opsel & 3) : 0;
  for (int l = 0; l < MaxLanes; l++) r.v[l] = as_u32(fp8_to_f32((u8)(x[l] >> shift), F));
  finish_f32(w, i, r);
}
template <Fp8 F> void unpack_pair(Wave &w, const Inst &i) {
  Lanes b0;
  WideLanes r;
  const u32 *x = fetch(w, i, 0, b0);
  u32 shift = i.encoding == Encoding::Vop3 && i.opsel & 1 ? 16 : 0;
  for (int l = 0; l < MaxLanes; l++) {
    r.lo[l] = as_u32(fp8_to_f32((u8)(x[l] >> shift), F));
    r.hi[l] = as_u32(fp8_to_f32((u8)(x[l] >> (shift + 8)), F));
  }
  write_wide(w, i.dst, r);
}
bool saturates(const Wave &w) { return w.mode >> 23 & 1; }

// The f32 sources with their signs; op_sel bits mean bytes of the result here.
void load_f32(Wave &w, const Inst &i, int k, Lanes &r) {
  Lanes b;
  const u32 *x = fetch(w, i, k, b);
  if (x != r.v) memcpy(r.v, x, sizeof r.v);
}
template <Fp8 F> void pack_pair(Wave &w, const Inst &i) {
  Lanes a, b, r;
  load_f32(w, i, 0, a);
  load_f32(w, i, 1, b);
  const u32 *old = w.row(i.dst);
  bool high = i.opsel & 8, sat = saturates(w);
  for (int l = 0; l < MaxLanes; l++) {
    u32 v = f32_to_fp8(as_f32(a.v[l]), F, sat) | (u32)f32_to_fp8(as_f32(b.v[l]), F, sat) << 8;
    r.v[l] = high ? (old[l] & 0xffff) | v << 16 : (old[l] & 0xffff0000) | v;
  }
  write_row(w, i.dst, r.v);
}
template <Fp8 F> void stochastic(Wave &w, const Inst &i) {
  Lanes a, b, r;
  load_f32(w, i, 0, a);
  load_f32(w, i, 1, b);
  const u32 *old = w.row(i.dst);
  u32 shift = 8 * (i.opsel >> 2 & 3);
  for (int l = 0; l < MaxLanes; l++)
    r.v[l] = (old[l] & ~(255u << shift)) | (u32)f32_to_fp8_stochastic(as_f32(a.v[l]), F, b.v[l], saturates(w)) << shift;
  write_row(w, i.dst, r.v);
}
constexpr OpInfo one(const char *name, Handler run, Type dst) { return {name, run, Class::Valu, dst, {Type::U32, Type::None, Type::None}, Any32}; }
constexpr OpInfo two(const char *name, Handler run, Type second) { return {name, run, Class::Valu, Type::U32, {Type::F32, second, Type::None}, Any32}; }

const OpInfo table[] = {
  valu<F32(I32), [](i32 x) { return (float)x; }>("v_cvt_f32_i32"),
  valu<F32(U32), [](u32 x) { return (float)x; }>("v_cvt_f32_u32"),
  valu<U32(F32), [](float x) { return saturating<u32>(x); }>("v_cvt_u32_f32"),
  valu<I32(F32), [](float x) { return saturating<i32>(x); }>("v_cvt_i32_f32"),
  valu<F16(F32), [](float x) { return x; }>("v_cvt_f16_f32"),
  valu<F32(F16), [](float x) { return x; }>("v_cvt_f32_f16"),
  valu<I32(F32), nearest_i32>("v_cvt_rpi_i32_f32"),
  valu<I32(F32), nearest_i32>("v_cvt_nearest_i32_f32"),
  valu<I32(F32), floor_i32>("v_cvt_flr_i32_f32"),
  valu<I32(F32), floor_i32>("v_cvt_floor_i32_f32"),
  valu<F32(U32), off_i4>("v_cvt_off_f32_i4"),
  valu<F32(F64), [](double x) { return (float)x; }>("v_cvt_f32_f64"),
  valu<F64(F32), [](float x) { return (double)x; }>("v_cvt_f64_f32"),
  valu<F64(I32), [](i32 x) { return (double)x; }>("v_cvt_f64_i32"),
  valu<F64(U32), [](u32 x) { return (double)x; }>("v_cvt_f64_u32"),
  valu<I32(F64), [](double x) { return saturating<i32>(x); }>("v_cvt_i32_f64"),
  valu<U32(F64), [](double x) { return saturating<u32>(x); }>("v_cvt_u32_f64"),
  valu<F32(U32), ubyte<0>>("v_cvt_f32_ubyte0"),
  valu<F32(U32), ubyte<1>>("v_cvt_f32_ubyte1"),
  valu<F32(U32), ubyte<2>>("v_cvt_f32_ubyte2"),
  valu<F32(U32), ubyte<3>>("v_cvt_f32_ubyte3"),
  valu<F16(U16), [](u16 x) { return (float)x; }>("v_cvt_f16_u16"),
  valu<F16(I16), [](i16 x) { return (float)x; }>("v_cvt_f16_i16"),
  valu<U16(F16), [](float x) { return saturating<u16>(x); }>("v_cvt_u16_f16"),
  valu<I16(F16), [](float x) { return saturating<i16>(x); }>("v_cvt_i16_f16"),
  valu<I16(F16), norm_i16>("v_cvt_norm_i16_f16"),
  valu<U16(F16), norm_u16>("v_cvt_norm_u16_f16"),
  valu<U32(F32, F32), f32_pair_rtz>("v_cvt_pkrtz_f16_f32"),
  valu<U32(F32, F32), f32_pair_rtz>("v_cvt_pk_rtz_f16_f32"),
  valu<U32(F32, F32), [](float a, float b) { return pair(norm_i16(a), norm_i16(b)); }>("v_cvt_pknorm_i16_f32"),
  valu<U32(F32, F32), [](float a, float b) { return pair(norm_u16(a), norm_u16(b)); }>("v_cvt_pknorm_u16_f32"),
  valu<U32(F32, F32), [](float a, float b) { return pair(norm_i16(a), norm_i16(b)); }>("v_cvt_pk_norm_i16_f32"),
  valu<U32(F32, F32), [](float a, float b) { return pair(norm_u16(a), norm_u16(b)); }>("v_cvt_pk_norm_u16_f32"),
  valu<U32(F16, F16), [](float a, float b) { return pair(norm_i16(a), norm_i16(b)); }>("v_cvt_pknorm_i16_f16"),
  valu<U32(F16, F16), [](float a, float b) { return pair(norm_u16(a), norm_u16(b)); }>("v_cvt_pknorm_u16_f16"),
  valu<U32(F16, F16), [](float a, float b) { return pair(norm_i16(a), norm_i16(b)); }>("v_cvt_pk_norm_i16_f16"),
  valu<U32(F16, F16), [](float a, float b) { return pair(norm_u16(a), norm_u16(b)); }>("v_cvt_pk_norm_u16_f16"),
  valu<U32(U32, U32), [](u32 a, u32 b) { return pair(std::min(a, 65535u), std::min(b, 65535u)); }>("v_cvt_pk_u16_u32"),
  valu<U32(I32, I32), [](i32 a, i32 b) { return pair(std::clamp(a, -32768, 32767), std::clamp(b, -32768, 32767)); }>("v_cvt_pk_i16_i32"),
  valu<U32(F32, F32), [](float a, float b) { return pair(saturating<i16>(a), saturating<i16>(b)); }>("v_cvt_pk_i16_f32"),
  valu<U32(F32, F32), [](float a, float b) { return pair(saturating<u16>(a), saturating<u16>(b)); }>("v_cvt_pk_u16_f32"),
  valu<U32(F32, U32, U32), pk_u8>("v_cvt_pk_u8_f32"),
  one("v_cvt_f32_fp8", unpack_fp8<Fp8::E4M3>, Type::F32),
  one("v_cvt_f32_bf8", unpack_fp8<Fp8::E5M2>, Type::F32),
  one("v_cvt_pk_f32_fp8", unpack_pair<Fp8::E4M3>, Type::PkF32),
  one("v_cvt_pk_f32_bf8", unpack_pair<Fp8::E5M2>, Type::PkF32),
  two("v_cvt_pk_fp8_f32", pack_pair<Fp8::E4M3>, Type::F32),
  two("v_cvt_pk_bf8_f32", pack_pair<Fp8::E5M2>, Type::F32),
  two("v_cvt_sr_fp8_f32", stochastic<Fp8::E4M3>, Type::U32),
  two("v_cvt_sr_bf8_f32", stochastic<Fp8::E5M2>, Type::U32),
};

}  // namespace

OpTable convert_ops() { return table; }

}  // namespace gfxemu
