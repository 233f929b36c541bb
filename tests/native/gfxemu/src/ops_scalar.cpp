#include "ops.h"
#include "wave.h"

#include <algorithm>

namespace gfxemu {
namespace {

// ---- two sources; the function may set scc
template <auto F> void two32(Wave &w, const Inst &i) { w.scalar_write(i.dst, F(scalar(w, i, 0), scalar(w, i, 1), w.scc)); }
template <auto F> void two64(Wave &w, const Inst &i) { w.scalar_write64(i.dst, F(scalar64(w, i, 0), scalar64(w, i, 1), w.scc)); }
template <auto F> void shift64(Wave &w, const Inst &i) { w.scalar_write64(i.dst, F(scalar64(w, i, 0), scalar(w, i, 1), w.scc)); }
template <auto F> void one32(Wave &w, const Inst &i) { w.scalar_write(i.dst, F(scalar(w, i, 0), w.scc)); }
template <auto F> void one64(Wave &w, const Inst &i) { w.scalar_write64(i.dst, F(scalar64(w, i, 0), w.scc)); }
template <auto F> void narrow(Wave &w, const Inst &i) { w.scalar_write(i.dst, F(scalar64(w, i, 0), w.scc)); }
template <auto F> void widen(Wave &w, const Inst &i) { w.scalar_write64(i.dst, F(scalar(w, i, 0), w.scc)); }

template <auto F> constexpr auto logic = [](auto a, auto b, u32 &scc) {
  decltype(a) r = F(a, b);
  scc = r != 0;
  return r;
};
template <auto F> constexpr auto unary = [](auto a, u32 &scc) {
  auto r = F(a);
  scc = r != 0;
  return r;
};
template <auto F> constexpr auto quiet2 = [](auto a, auto b, u32 &) { return F(a, b); };
template <auto F> constexpr auto quiet1 = [](auto a, u32 &) { return F(a); };

constexpr auto and_ = [](auto a, auto b) { return a & b; };
constexpr auto or_ = [](auto a, auto b) { return a | b; };
constexpr auto xor_ = [](auto a, auto b) { return a ^ b; };
constexpr auto andn = [](auto a, auto b) { return a & ~b; };
constexpr auto orn = [](auto a, auto b) { return a | ~b; };
constexpr auto nand = [](auto a, auto b) { return ~(a & b); };
constexpr auto nor = [](auto a, auto b) { return ~(a | b); };
constexpr auto xnor = [](auto a, auto b) { return ~(a ^ b); };
constexpr auto andn_first = [](auto a, auto b) { return ~a & b; };
constexpr auto orn_first = [](auto a, auto b) { return ~a | b; };

u32 add_u32(u32 a, u32 b, u32 &scc) { u64 s = (u64)a + b; scc = (u32)(s >> 32); return (u32)s; }
u32 sub_u32(u32 a, u32 b, u32 &scc) { scc = b > a; return a - b; }
u32 add_i32(u32 a, u32 b, u32 &scc) { i32 r; scc = __builtin_add_overflow((i32)a, (i32)b, &r); return (u32)r; }
u32 sub_i32(u32 a, u32 b, u32 &scc) { i32 r; scc = __builtin_sub_overflow((i32)a, (i32)b, &r); return (u32)r; }
u32 addc(u32 a, u32 b, u32 &scc) { u64 s = (u64)a + b + scc; scc = (u32)(s >> 32); return (u32)s; }
u32 subb(u32 a, u32 b, u32 &scc) { u64 s = (u64)a - b - scc; scc = (u32)(s >> 32 & 1); return (u32)s; }
template <int N> u32 lshl_add(u32 a, u32 b, u32 &scc) { u64 s = ((u64)a << N) + b; scc = s >> 32 != 0; return (u32)s; }
template <auto F> constexpr auto picks = [](auto a, auto b, u32 &scc) { scc = F(a, b); return (u32)(scc ? a : b); };
u32 absdiff(u32 a, u32 b, u32 &scc) { i64 d = (i64)(i32)a - (i32)b; u32 r = (u32)(d < 0 ? -d : d); scc = r != 0; return r; }
u32 bfe_u32(u32 a, u32 b, u32 &scc) {
  u32 offset = b & 31, width = b >> 16 & 127;
  u32 r = width == 0 ? 0 : (u32)((u64)a >> offset & (width >= 32 ? 0xffffffffull : (1ull << width) - 1));
  scc = r != 0;
  return r;
}
u32 bfe_i32(u32 a, u32 b, u32 &scc) {
  u32 offset = b & 31, width = std::min(b >> 16 & 127, 32 - offset);
  u32 r = width == 0 ? 0 : (u32)((i32)(a << (32 - offset - width)) >> (32 - width));
  scc = r != 0;
  return r;
}
u64 bfe_u64(u64 a, u32 b, u32 &scc) {
  u32 offset = b & 63, width = b >> 16 & 127;
  u64 r = width == 0 ? 0 : a >> offset & (width >= 64 ? ~0ull : (1ull << width) - 1);
  scc = r != 0;
  return r;
}
u64 bfe_i64(u64 a, u32 b, u32 &scc) {
  u32 offset = b & 63, width = std::min(b >> 16 & 127, 64 - offset);
  u64 r = width == 0 ? 0 : (u64)((i64)(a << (64 - offset - width)) >> (64 - width));
  scc = r != 0;
  return r;
}
u64 bfm_b64(u32 a, u32 b) { return ((1ull << (a & 63)) - 1) << (b & 63); }
void s_bfm_b64(Wave &w, const Inst &i) { w.scalar_write64(i.dst, bfm_b64(scalar(w, i, 0), scalar(w, i, 1))); }

template <class T> T reverse(T x) {
  T r = 0;
  for (unsigned k = 0; k < 8 * sizeof x; k++) r |= (x >> k & 1) << (8 * sizeof x - 1 - k);
  return r;
}
template <class T> T whole_quads(T x) {
  T r = 0;
  for (unsigned k = 0; k < 8 * sizeof x; k += 4) if (x >> k & 15) r |= (T)15 << k;
  return r;
}
template <class T> T quad_mask(T x) {
  T r = 0;
  for (unsigned k = 0; k < 2 * sizeof x; k++) if (x >> (4 * k) & 15) r |= (T)1 << k;
  return r;
}
constexpr auto first_one = [](auto x) { return x ? (u32)std::countr_zero(x) : ~0u; };
constexpr auto first_zero = [](auto x) { return ~x ? (u32)std::countr_one(x) : ~0u; };
constexpr auto leading = [](auto x) { return x ? (u32)std::countl_zero(x) : ~0u; };
template <class S> constexpr auto leading_sign = [](auto x) { auto y = (S)x < 0 ? ~x : x; return y ? (u32)std::countl_zero(y) : ~0u; };
u32 absolute(u32 a, u32 &scc) { u32 r = (i32)a < 0 ? 0 - a : a; scc = r != 0; return r; }
u64 bit_replicate(u32 x) {
  u64 r = 0;
  for (int k = 0; k < 32; k++) if (x >> k & 1) r |= 3ull << (2 * k);
  return r;
}

template <bool Value> void bitset32(Wave &w, const Inst &i) {
  u32 bit = 1u << (scalar(w, i, 0) & 31);
  w.scalar_write(i.dst, Value ? w.s[i.dst] | bit : w.s[i.dst] & ~bit);
}
template <bool Value> void bitset64(Wave &w, const Inst &i) {
  u64 bit = 1ull << (scalar(w, i, 0) & 63), old = join(w.s[i.dst], w.s[i.dst + 1]);
  w.scalar_write64(i.dst, Value ? old | bit : old & ~bit);
}
void cmov32(Wave &w, const Inst &i) { if (w.scc) w.scalar_write(i.dst, scalar(w, i, 0)); }
void cmov64(Wave &w, const Inst &i) { if (w.scc) w.scalar_write64(i.dst, scalar64(w, i, 0)); }

// exec = F(source, exec), the old exec kept in the destination (or, wrexec, the new one).
template <auto F, bool Wide, bool KeepsNew> void saveexec(Wave &w, const Inst &i) {
  u64 source = Wide ? scalar64(w, i, 0) : scalar(w, i, 0), old = Wide ? join(w.s[EXEC], w.s[EXEC + 1]) : w.s[EXEC];
  u64 now = F(source, old);
  if (!Wide) now = (u32)now;
  w.scc = now != 0;
  u64 kept = KeepsNew ? now : old;
  if (Wide) { w.scalar_write64(i.dst, kept); w.scalar_write64(EXEC, now); }
  else { w.scalar_write(i.dst, (u32)kept); w.scalar_write(EXEC, (u32)now); }
}

template <bool Source, bool Wide> void movrel(Wave &w, const Inst &i) {
  u32 index = w.s[M0], from = i.src[0] + (Source ? index : 0), to = i.dst + (Source ? 0 : index);
  if (from > 105 + (Source ? 0 : 400) || to > 105) w.fail(719, format("scalar register index %u out of range", index));
  u64 v = Source ? join(w.s[from], w.s[from + 1]) : Wide ? scalar64(w, i, 0) : scalar(w, i, 0);
  if (Wide) w.scalar_write64(to, v); else w.scalar_write(to, (u32)v);
}

constexpr OpInfo op(const char *name, Handler run, Type dst, Type a, Type b = Type::None) { return {name, run, Class::Salu, dst, {a, b, Type::None}, 0}; }
template <auto F> constexpr OpInfo b32(const char *name) { return op(name, two32<F>, Type::U32, Type::U32, Type::U32); }
template <auto F> constexpr OpInfo b64(const char *name) { return op(name, two64<F>, Type::U64, Type::U64, Type::U64); }
template <auto F> constexpr OpInfo u32_(const char *name) { return op(name, one32<F>, Type::U32, Type::U32); }
template <auto F> constexpr OpInfo u64_(const char *name) { return op(name, one64<F>, Type::U64, Type::U64); }
template <auto F> constexpr OpInfo n32(const char *name) { return op(name, narrow<F>, Type::U32, Type::U64); }
template <auto F, bool New = false> constexpr OpInfo save32(const char *name) { return op(name, saveexec<F, false, New>, Type::U32, Type::U32); }
template <auto F, bool New = false> constexpr OpInfo save64(const char *name) { return op(name, saveexec<F, true, New>, Type::U64, Type::U64); }

constexpr auto lshl = [](auto a, u32 b, u32 &scc) { auto r = a << (b & (8 * sizeof a - 1)); scc = r != 0; return r; };
constexpr auto lshr = [](auto a, u32 b, u32 &scc) { auto r = a >> (b & (8 * sizeof a - 1)); scc = r != 0; return r; };
constexpr auto ashr32 = [](u32 a, u32 b, u32 &scc) { u32 r = (u32)((i32)a >> (b & 31)); scc = r != 0; return r; };
constexpr auto ashr64 = [](u64 a, u32 b, u32 &scc) { u64 r = (u64)((i64)a >> (b & 63)); scc = r != 0; return r; };
constexpr auto select = [](auto a, auto b, u32 &scc) { return scc ? a : b; };

const OpInfo table[] = {
  b32<add_u32>("s_add_u32"), b32<sub_u32>("s_sub_u32"), b32<add_i32>("s_add_i32"), b32<sub_i32>("s_sub_i32"), b32<addc>("s_addc_u32"), b32<subb>("s_subb_u32"),
  b32<picks<[](u32 a, u32 b) { return (i32)a < (i32)b; }>>("s_min_i32"), b32<picks<[](u32 a, u32 b) { return a < b; }>>("s_min_u32"),
  b32<picks<[](u32 a, u32 b) { return ((i32)a >= (i32)b); }>>("s_max_i32"), b32<picks<[](u32 a, u32 b) { return (a >= b); }>>("s_max_u32"),
  b32<select>("s_cselect_b32"), b64<select>("s_cselect_b64"),
  b32<logic<and_>>("s_and_b32"), b64<logic<and_>>("s_and_b64"), b32<logic<or_>>("s_or_b32"), b64<logic<or_>>("s_or_b64"),
  b32<logic<xor_>>("s_xor_b32"), b64<logic<xor_>>("s_xor_b64"),
  b32<logic<andn>>("s_andn2_b32"), b64<logic<andn>>("s_andn2_b64"), b32<logic<andn>>("s_and_not1_b32"), b64<logic<andn>>("s_and_not1_b64"),
  b32<logic<orn>>("s_orn2_b32"), b64<logic<orn>>("s_orn2_b64"), b32<logic<orn>>("s_or_not1_b32"), b64<logic<orn>>("s_or_not1_b64"),
  b32<logic<nand>>("s_nand_b32"), b64<logic<nand>>("s_nand_b64"), b32<logic<nor>>("s_nor_b32"), b64<logic<nor>>("s_nor_b64"),
  b32<logic<xnor>>("s_xnor_b32"), b64<logic<xnor>>("s_xnor_b64"),
  b32<lshl>("s_lshl_b32"), b32<lshr>("s_lshr_b32"), b32<ashr32>("s_ashr_i32"),
  op("s_lshl_b64", shift64<lshl>, Type::U64, Type::U64, Type::U32), op("s_lshr_b64", shift64<lshr>, Type::U64, Type::U64, Type::U32),
  op("s_ashr_i64", shift64<ashr64>, Type::U64, Type::I64, Type::U32),
  b32<quiet2<[](u32 a, u32 b) { return ((1u << (a & 31)) - 1) << (b & 31); }>>("s_bfm_b32"), op("s_bfm_b64", s_bfm_b64, Type::U64, Type::U32, Type::U32),
  b32<quiet2<[](u32 a, u32 b) { return a * b; }>>("s_mul_i32"),
  b32<quiet2<[](u32 a, u32 b) { return ((u32)((u64)a * b >> 32)); }>>("s_mul_hi_u32"),
  b32<quiet2<[](u32 a, u32 b) { return ((u32)((i64)(i32)a * (i32)b >> 32)); }>>("s_mul_hi_i32"),
  b32<bfe_u32>("s_bfe_u32"), b32<bfe_i32>("s_bfe_i32"),
  op("s_bfe_u64", shift64<bfe_u64>, Type::U64, Type::U64, Type::U32), op("s_bfe_i64", shift64<bfe_i64>, Type::U64, Type::I64, Type::U32),
  b32<absdiff>("s_absdiff_i32"), b32<lshl_add<1>>("s_lshl1_add_u32"), b32<lshl_add<2>>("s_lshl2_add_u32"), b32<lshl_add<3>>("s_lshl3_add_u32"), b32<lshl_add<4>>("s_lshl4_add_u32"),
  b32<quiet2<[](u32 a, u32 b) { return (a & 0xffff) | b << 16; }>>("s_pack_ll_b32_b16"), b32<quiet2<[](u32 a, u32 b) { return (a & 0xffff) | (b & 0xffff0000); }>>("s_pack_lh_b32_b16"),
  b32<quiet2<[](u32 a, u32 b) { return (a >> 16 | (b & 0xffff0000)); }>>("s_pack_hh_b32_b16"), b32<quiet2<[](u32 a, u32 b) { return (a >> 16 | b << 16); }>>("s_pack_hl_b32_b16"),
  u32_<quiet1<[](u32 a) { return a; }>>("s_mov_b32"), u64_<quiet1<[](u64 a) { return a; }>>("s_mov_b64"),
  op("s_cmov_b32", cmov32, Type::U32, Type::U32), op("s_cmov_b64", cmov64, Type::U64, Type::U64),
  u32_<unary<[](u32 a) { return ~a; }>>("s_not_b32"), u64_<unary<[](u64 a) { return ~a; }>>("s_not_b64"),
  u32_<unary<whole_quads<u32>>>("s_wqm_b32"), u64_<unary<whole_quads<u64>>>("s_wqm_b64"),
  u32_<quiet1<reverse<u32>>>("s_brev_b32"), u64_<quiet1<reverse<u64>>>("s_brev_b64"),
  u32_<unary<[](u32 a) { return (u32)std::popcount(~a); }>>("s_bcnt0_i32_b32"), n32<unary<[](u64 a) { return (u32)std::popcount(~a); }>>("s_bcnt0_i32_b64"),
  u32_<unary<[](u32 a) { return (u32)std::popcount(a); }>>("s_bcnt1_i32_b32"), n32<unary<[](u64 a) { return (u32)std::popcount(a); }>>("s_bcnt1_i32_b64"),
  u32_<quiet1<first_zero>>("s_ff0_i32_b32"), n32<quiet1<first_zero>>("s_ff0_i32_b64"),
  u32_<quiet1<first_one>>("s_ff1_i32_b32"), n32<quiet1<first_one>>("s_ff1_i32_b64"), u32_<quiet1<first_one>>("s_ctz_i32_b32"), n32<quiet1<first_one>>("s_ctz_i32_b64"),
  u32_<quiet1<leading>>("s_flbit_i32_b32"), n32<quiet1<leading>>("s_flbit_i32_b64"), u32_<quiet1<leading>>("s_clz_i32_u32"), n32<quiet1<leading>>("s_clz_i32_u64"),
  u32_<quiet1<leading_sign<i32>>>("s_flbit_i32"), n32<quiet1<leading_sign<i64>>>("s_flbit_i32_i64"), u32_<quiet1<leading_sign<i32>>>("s_cls_i32"), n32<quiet1<leading_sign<i64>>>("s_cls_i32_i64"),
  u32_<quiet1<[](u32 a) { return (u32)(i32)(i8)a; }>>("s_sext_i32_i8"), u32_<quiet1<[](u32 a) { return (u32)(i32)(i16)a; }>>("s_sext_i32_i16"),
  op("s_bitset0_b32", bitset32<false>, Type::U32, Type::U32), op("s_bitset0_b64", bitset64<false>, Type::U64, Type::U32),
  op("s_bitset1_b32", bitset32<true>, Type::U32, Type::U32), op("s_bitset1_b64", bitset64<true>, Type::U64, Type::U32),
  u32_<unary<quad_mask<u32>>>("s_quadmask_b32"), u64_<unary<quad_mask<u64>>>("s_quadmask_b64"),
  u32_<absolute>("s_abs_i32"), op("s_bitreplicate_b64_b32", widen<quiet1<bit_replicate>>, Type::U64, Type::U32),
  op("s_movrels_b32", movrel<true, false>, Type::U32, Type::U32), op("s_movrels_b64", movrel<true, true>, Type::U64, Type::U64),
  op("s_movreld_b32", movrel<false, false>, Type::U32, Type::U32), op("s_movreld_b64", movrel<false, true>, Type::U64, Type::U64),
  save32<and_>("s_and_saveexec_b32"), save64<and_>("s_and_saveexec_b64"), save32<or_>("s_or_saveexec_b32"), save64<or_>("s_or_saveexec_b64"),
  save32<xor_>("s_xor_saveexec_b32"), save64<xor_>("s_xor_saveexec_b64"), save32<nand>("s_nand_saveexec_b32"), save64<nand>("s_nand_saveexec_b64"),
  save32<nor>("s_nor_saveexec_b32"), save64<nor>("s_nor_saveexec_b64"), save32<xnor>("s_xnor_saveexec_b32"), save64<xnor>("s_xnor_saveexec_b64"),
  save64<andn>("s_andn2_saveexec_b64"), save32<andn>("s_and_not1_saveexec_b32"), save64<andn>("s_and_not1_saveexec_b64"),
  save64<orn>("s_orn2_saveexec_b64"), save32<orn>("s_or_not1_saveexec_b32"), save64<orn>("s_or_not1_saveexec_b64"),
  save64<andn_first>("s_andn1_saveexec_b64"), save32<andn_first>("s_and_not0_saveexec_b32"), save64<andn_first>("s_and_not0_saveexec_b64"),
  save64<orn_first>("s_orn1_saveexec_b64"), save32<orn_first>("s_or_not0_saveexec_b32"), save64<orn_first>("s_or_not0_saveexec_b64"),
  save64<andn_first, true>("s_andn1_wrexec_b64"), save32<andn_first, true>("s_and_not0_wrexec_b32"), save64<andn_first, true>("s_and_not0_wrexec_b64"),
  save64<andn, true>("s_andn2_wrexec_b64"), save32<andn, true>("s_and_not1_wrexec_b32"), save64<andn, true>("s_and_not1_wrexec_b64"),
};

}  // namespace

OpTable scalar_ops() { return table; }

}  // namespace gfxemu
