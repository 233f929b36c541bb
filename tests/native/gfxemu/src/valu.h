// How a vector operation is made from a function of one lane: valu<F32(F32, F32), [](float a, float b) { return a + b; }>("v_add_f32").
#pragma once
#include "wave.h"

#include <cstddef>
#include <tuple>
#include <utility>

namespace gfxemu {

struct alignas(64) Lanes { u32 v[MaxLanes]; };
struct alignas(64) WideLanes { u32 lo[MaxLanes], hi[MaxLanes]; };
struct WideRows { const u32 *lo, *hi; };

// A source as 32-bit rows: the register itself where nothing changes it, otherwise a copy in `buffer`.
const u32 *fetch_changed(const Wave &w, const Inst &i, int k, Lanes &buffer);
WideRows fetch_wide(const Wave &w, const Inst &i, int k, WideLanes &buffer);

inline const u32 *fetch(Wave &w, const Inst &i, int k, Lanes &buffer) {
  if (i.sensitive & ~w.plain) [[unlikely]] return fetch_changed(w, i, k, buffer);
  if (i.src[k] >= Vgpr) return w.row(i.src[k]);
  u32 value = scalar(w, i, k);
  for (int l = 0; l < MaxLanes; l++) buffer.v[l] = value;
  return buffer.v;
}

// Applies clamp and output scaling, picks the half, and writes the lanes that are on.
void finish_f32(Wave &w, const Inst &i, Lanes &r);
void finish_half(Wave &w, const Inst &i, const Lanes &r);
void finish_f64(Wave &w, const Inst &i, WideLanes &r);

inline void write_row(Wave &w, u32 operand, const u32 *r) {
  u32 *d = w.row(operand);
  if (w.full) { memcpy(d, r, sizeof(u32) * w.lanes); return; }
  for (int l = 0; l < MaxLanes; l++) d[l] = (r[l] & w.mask[l]) | (d[l] & ~w.mask[l]);
}
inline void write_wide(Wave &w, u32 operand, const WideLanes &r) {
  write_row(w, operand, r.lo);
  write_row(w, operand + 1, r.hi);
}

void halves_to_f32(const u32 *from, float *to);
void f32_to_halves(const float *from, u32 *to);
void flush_halves(u32 *values);

// ---- the operand types of lane functions
struct U32 {
  using Value = u32;
  static constexpr Type type = Type::U32;
  struct Source { Lanes buffer; const u32 *at; void load(Wave &w, const Inst &i, int k) { at = fetch(w, i, k, buffer); } u32 get(int l) const { return at[l]; } };
};
struct I32 : U32 {
  using Value = i32;
  struct Source : U32::Source { i32 get(int l) const { return (i32)at[l]; } };
};
struct F32 {
  using Value = float;
  static constexpr Type type = Type::F32;
  struct Source : U32::Source { float get(int l) const { return as_f32(at[l]); } };
};
struct U16 {
  using Value = u16;
  static constexpr Type type = Type::U16;
  struct Source : U32::Source { u16 get(int l) const { return (u16)at[l]; } };
};
struct I16 : U16 {
  using Value = i16;
  struct Source : U32::Source { i16 get(int l) const { return (i16)at[l]; } };
};
// The bits of a half.
struct H16 : U16 {
  static constexpr Type type = Type::F16;
};
// Halves are computed as f32 and rounded once more, which is exact for sums, products and quotients.
struct F16 {
  using Value = float;
  static constexpr Type type = Type::F16;
  struct Source {
    alignas(64) float values[MaxLanes];
    void load(Wave &w, const Inst &i, int k) { Lanes buffer; halves_to_f32(fetch(w, i, k, buffer), values); }
    float get(int l) const { return values[l]; }
  };
};
struct U64 {
  using Value = u64;
  static constexpr Type type = Type::U64;
  struct Source {
    WideLanes buffer;
    WideRows at;
    void load(Wave &w, const Inst &i, int k) { at = fetch_wide(w, i, k, buffer); }
    u64 get(int l) const { return join(at.lo[l], at.hi[l]); }
  };
};
struct I64 : U64 {
  using Value = i64;
  static constexpr Type type = Type::I64;
  struct Source : U64::Source { i64 get(int l) const { return (i64)U64::Source::get(l); } };
};
struct F64 {
  using Value = double;
  static constexpr Type type = Type::F64;
  struct Source : U64::Source { double get(int l) const { return as_f64(U64::Source::get(l)); } };
};

template <class R> constexpr bool wide_mode = std::is_same_v<R, F64> || std::is_same_v<R, F16>;

template <class Signature, auto F> struct ValuOp;
template <class R, class... A, auto F> struct ValuOp<R(A...), F> {
  template <size_t... K> static void eval(Wave &w, const Inst &i, std::index_sequence<K...>) {
    std::tuple<typename A::Source...> sources;
    (std::get<K>(sources).load(w, i, K), ...);
    int n = (int)w.lanes;
    if constexpr (R::type == Type::U32 || R::type == Type::F32) {
      Lanes buffer;
      bool direct = w.full && !i.post;
      u32 *r = direct ? w.row(i.dst) : buffer.v;
      for (int base = 0; base < n; base += 16)
#pragma GCC ivdep
        for (int l = base; l < base + 16; l++) r[l] = std::bit_cast<u32>((typename R::Value)F(std::get<K>(sources).get(l)...));
      if (direct) return;
      if (i.post) {
        if constexpr (R::type == Type::F32) finish_f32(w, i, buffer);
        else write_row(w, i.dst, buffer.v);
      } else write_row(w, i.dst, buffer.v);
    } else if constexpr (std::is_same_v<R, F16>) {
      alignas(64) float values[MaxLanes];
      Lanes r;
      for (int base = 0; base < MaxLanes; base += 16)
#pragma GCC ivdep
        for (int l = base; l < base + 16; l++) values[l] = F(std::get<K>(sources).get(l)...);
      f32_to_halves(values, r.v);
      if (!(w.plain & 4)) flush_halves(r.v);
      finish_half(w, i, r);
    } else if constexpr (R::type == Type::U16) {
      Lanes r;
      for (int base = 0; base < n; base += 16)
#pragma GCC ivdep
        for (int l = base; l < base + 16; l++) r.v[l] = (u16)F(std::get<K>(sources).get(l)...);
      finish_half(w, i, r);
    } else {
      WideLanes r;
      for (int base = 0; base < n; base += 16)
#pragma GCC ivdep
        for (int l = base; l < base + 16; l++) {
          u64 value = std::bit_cast<u64>((typename R::Value)F(std::get<K>(sources).get(l)...));
          r.lo[l] = (u32)value;
          r.hi[l] = (u32)(value >> 32);
        }
      if constexpr (std::is_same_v<R, F64>) {
        if (i.post) { finish_f64(w, i, r); return; }
      }
      write_wide(w, i.dst, r);
    }
  }
  static void run(Wave &w, const Inst &i) {
    if constexpr (wide_mode<R> || (wide_mode<A> || ...)) {
      WideMode mode(w);
      eval(w, i, std::make_index_sequence<sizeof...(A)>());
    } else {
      eval(w, i, std::make_index_sequence<sizeof...(A)>());
    }
  }
  static constexpr OpInfo info(const char *name, u16 flags, Class cls) {
    OpInfo op{name, run, cls, R::type, {Type::None, Type::None, Type::None}, flags};
    int k = 0;
    ((op.src[k++] = A::type), ...);
    return op;
  }
};

template <class Signature, auto F> constexpr OpInfo valu(const char *name, u16 flags = 0, Class cls = Class::Valu) {
  return ValuOp<Signature, F>::info(name, flags, cls);
}
template <class Signature, auto F> constexpr OpInfo trans(const char *name) { return ValuOp<Signature, F>::info(name, 0, Class::Trans); }

// ---- comparisons: a lane mask of the lanes that are on
template <class A, class B, auto F> void compare(Wave &w, const Inst &i) {
  WideMode mode(w);
  typename A::Source a;
  typename B::Source b;
  a.load(w, i, 0);
  b.load(w, i, 1);
  alignas(64) u8 bits[MaxLanes];
  for (int l = 0; l < MaxLanes; l++) bits[l] = F(a.get(l), b.get(l)) ? 0x80 : 0;
  u64 m = 0;
  for (int l = 0; l < MaxLanes; l += 32)
    m |= (u64)(u32)_mm256_movemask_epi8(_mm256_load_si256((const __m256i *)(bits + l))) << l;
  m &= w.exec;
  if (i.op->flags & WritesExec) {
    w.s[EXEC] = (u32)m;
    w.s[EXEC + 1] = (u32)(m >> 32);
    w.set_exec(m);
    if (w.launch->gfx11) return;
  }
  w.mask_write(i.sdst, m);
}

}  // namespace gfxemu
