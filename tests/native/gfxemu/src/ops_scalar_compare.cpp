// Scalar comparisons, and the operations with a 16-bit constant.
#include "ops.h"
#include "wave.h"

namespace gfxemu {
namespace {

enum class P { Eq, Lg, Gt, Ge, Lt, Le };
template <P p, class T> bool test(T a, T b) {
  switch (p) {
    case P::Eq: return a == b;
    case P::Lg: return a != b;
    case P::Gt: return a > b;
    case P::Ge: return a >= b;
    case P::Lt: return a < b;
    default: return a <= b;
  }
}
template <P p, class T> void compare32(Wave &w, const Inst &i) { w.scc = test<p, T>((T)scalar(w, i, 0), (T)scalar(w, i, 1)); }
template <P p> void compare64(Wave &w, const Inst &i) { w.scc = test<p, u64>(scalar64(w, i, 0), scalar64(w, i, 1)); }
// The constant is sign-extended for signed comparisons only.
template <P p, class T> void compare_constant(Wave &w, const Inst &i) {
  w.scc = test<p, T>((T)w.s[i.dst], std::is_signed_v<T> ? (T)(i32)(i16)i.simm : (T)(u16)i.simm);
}
template <bool Value> void bit32(Wave &w, const Inst &i) { w.scc = (scalar(w, i, 0) >> (scalar(w, i, 1) & 31) & 1) == Value; }
template <bool Value> void bit64(Wave &w, const Inst &i) { w.scc = (scalar64(w, i, 0) >> (scalar(w, i, 1) & 63) & 1) == Value; }

void movk(Wave &w, const Inst &i) { w.scalar_write(i.dst, (u32)(i32)(i16)i.simm); }
void cmovk(Wave &w, const Inst &i) { if (w.scc) movk(w, i); }
void addk(Wave &w, const Inst &i) {
  i32 r;
  w.scc = __builtin_add_overflow((i32)w.s[i.dst], (i32)(i16)i.simm, &r);
  w.scalar_write(i.dst, (u32)r);
}
void mulk(Wave &w, const Inst &i) { w.scalar_write(i.dst, w.s[i.dst] * (u32)(i32)(i16)i.simm); }

template <P p> constexpr OpInfo two(const char *name, bool is_signed) {
  return {name, is_signed ? compare32<p, i32> : compare32<p, u32>, Class::Salu, Type::None, {Type::U32, Type::U32, Type::None}, NoDst};
}
template <P p> constexpr OpInfo constant(const char *name, bool is_signed) {
  return {name, is_signed ? compare_constant<p, i32> : compare_constant<p, u32>, Class::Salu, Type::U32, {Type::None, Type::None, Type::None}, 0};
}
constexpr OpInfo one(const char *name, Handler run) { return {name, run, Class::Salu, Type::U32, {Type::None, Type::None, Type::None}, 0}; }
constexpr OpInfo pair(const char *name, Handler run, Type a, Type b) { return {name, run, Class::Salu, Type::None, {a, b, Type::None}, NoDst}; }

const OpInfo table[] = {
  two<P::Eq>("s_cmp_eq_i32", true), two<P::Lg>("s_cmp_lg_i32", true), two<P::Gt>("s_cmp_gt_i32", true), two<P::Ge>("s_cmp_ge_i32", true),
  two<P::Lt>("s_cmp_lt_i32", true), two<P::Le>("s_cmp_le_i32", true),
  two<P::Eq>("s_cmp_eq_u32", false), two<P::Lg>("s_cmp_lg_u32", false), two<P::Gt>("s_cmp_gt_u32", false), two<P::Ge>("s_cmp_ge_u32", false),
  two<P::Lt>("s_cmp_lt_u32", false), two<P::Le>("s_cmp_le_u32", false),
  pair("s_cmp_eq_u64", compare64<P::Eq>, Type::U64, Type::U64), pair("s_cmp_lg_u64", compare64<P::Lg>, Type::U64, Type::U64),
  pair("s_bitcmp0_b32", bit32<false>, Type::U32, Type::U32), pair("s_bitcmp1_b32", bit32<true>, Type::U32, Type::U32),
  pair("s_bitcmp0_b64", bit64<false>, Type::U64, Type::U32), pair("s_bitcmp1_b64", bit64<true>, Type::U64, Type::U32),
  constant<P::Eq>("s_cmpk_eq_i32", true), constant<P::Lg>("s_cmpk_lg_i32", true), constant<P::Gt>("s_cmpk_gt_i32", true),
  constant<P::Ge>("s_cmpk_ge_i32", true), constant<P::Lt>("s_cmpk_lt_i32", true), constant<P::Le>("s_cmpk_le_i32", true),
  constant<P::Eq>("s_cmpk_eq_u32", false), constant<P::Lg>("s_cmpk_lg_u32", false), constant<P::Gt>("s_cmpk_gt_u32", false),
  constant<P::Ge>("s_cmpk_ge_u32", false), constant<P::Lt>("s_cmpk_lt_u32", false), constant<P::Le>("s_cmpk_le_u32", false),
  one("s_movk_i32", movk), one("s_cmovk_i32", cmovk), one("s_addk_i32", addk), one("s_mulk_i32", mulk),
};

}  // namespace

OpTable scalar_compare_ops() { return table; }

}  // namespace gfxemu
