// v_wmma of gfx11: one 16 x 16 x 16 product; lanes 16..31 repeat the sources of lanes 0..15. EXEC is ignored.
#include "matrix.h"
#include "ops.h"

namespace gfxemu {
namespace {

enum class Sum : u8 { F32, F16, BF16 };

void check_repeated(Wave &w, const Inst &i, int registers) {
  for (int k = 0; k < 2; k++)
    for (int r = 0; r < registers; r++) {
      const u32 *row = w.row(i.src[k] + (u32)r);
      for (int lane = 0; lane < 16; lane++)
        if (row[lane] != row[lane + 16]) w.fail(719, format("source %d of a WMMA differs between lanes %d and %d, which must hold the same", k, lane, lane + 16));
    }
}

// Element (2 r + lane / 16, lane % 16) is in register r.
template <Element T, Sum S> void wmma(Wave &w, const Inst &i) {
  check_repeated(w, i, 8);
  alignas(64) float a[256], b[256], c[256], row[MaxLanes];  // a and b are [k][lane]
  for (int k = 0; k < 16; k++)
    for (int s = 0; s < 2; s++) {
      unpack<T>(w.row(i.src[s] + (u32)(k / 2)), k % 2, row);
      float sign = (k & 1 ? i.neg_hi : i.neg) >> s & 1 ? -1.0f : 1.0f, *to = (s ? b : a) + k * 16;
      for (int lane = 0; lane < 16; lane++) to[lane] = sign * row[lane];
    }
  bool constant = i.src[2] < Vgpr;
  u32 value = constant ? scalar(w, i, 2) : 0, shift = i.opsel & 4 ? 16 : 0;
  for (int r = 0; r < 8; r++)
    for (int lane = 0; lane < 32; lane++) {
      u32 bits = constant ? value : w.row(i.src[2] + (u32)r)[lane];
      float &x = c[(2 * r + lane / 16) * 16 + lane % 16];
      if (S == Sum::F32) x = as_f32(bits);
      else if (S == Sum::F16) x = half_to_f32((u16)(constant ? bits : bits >> shift));
      else x = bf16_to_f32((u16)(constant ? bits : bits >> shift));
      if (i.neg_hi & 4) x = std::fabs(x);
      if (i.neg & 4) x = -x;
    }
  for (int m = 0; m < 16; m++) add_products<16, 16>(a + m, 16, b, c + m * 16);
  for (int r = 0; r < 8; r++)
    for (int lane = 0; lane < 32; lane++) {
      float x = c[(2 * r + lane / 16) * 16 + lane % 16];
      u32 &d = w.row(i.dst + (u32)r)[lane];
      if (S == Sum::F32) { d = as_u32(x); continue; }
      u32 half = S == Sum::F16 ? f32_to_half(x) : f32_to_bf16(x);
      d = shift ? (d & 0xffff) | half << 16 : (d & 0xffff0000) | half;
    }
}

template <int Bits> void wmma_integer(Wave &w, const Inst &i) {
  constexpr int per_word = 32 / Bits;
  check_repeated(w, i, 16 / per_word);
  i64 c[256];
  i32 a[256], b[256];
  auto element = [](u32 word, int k, bool is_signed) {
    u32 v = word >> (Bits * k) & ((1u << Bits) - 1);
    return is_signed && v >> (Bits - 1) ? (i32)v - (1 << Bits) : (i32)v;
  };
  for (int lane = 0; lane < 16; lane++)
    for (int k = 0; k < 16; k++) {
      a[lane * 16 + k] = element(w.row(i.src[0] + (u32)(k / per_word))[lane], k % per_word, i.neg & 1);
      b[k * 16 + lane] = element(w.row(i.src[1] + (u32)(k / per_word))[lane], k % per_word, i.neg & 2);
    }
  for (int r = 0; r < 8; r++)
    for (int lane = 0; lane < 32; lane++)
      c[(2 * r + lane / 16) * 16 + lane % 16] = (i32)(i.src[2] < Vgpr ? scalar(w, i, 2) : w.row(i.src[2] + (u32)r)[lane]);
  for (int row = 0; row < 16; row++)
    for (int k = 0; k < 16; k++)
      for (int n = 0; n < 16; n++) c[row * 16 + n] += (i64)a[row * 16 + k] * b[k * 16 + n];
  for (int r = 0; r < 8; r++)
    for (int lane = 0; lane < 32; lane++) {
      i64 x = c[(2 * r + lane / 16) * 16 + lane % 16];
      if (i.clamp) x = std::min<i64>(std::max<i64>(x, INT32_MIN), INT32_MAX);
      w.row(i.dst + (u32)r)[lane] = (u32)x;
    }
}

constexpr OpInfo op(const char *name, Handler run, Type sources) { return {name, run, Class::Matrix, Type::B256, {sources, sources, Type::B256}, Packed}; }

const OpInfo table[] = {
  op("v_wmma_f32_16x16x16_f16", wmma<Element::F16, Sum::F32>, Type::B256),
  op("v_wmma_f32_16x16x16_bf16", wmma<Element::BF16, Sum::F32>, Type::B256),
  op("v_wmma_f16_16x16x16_f16", wmma<Element::F16, Sum::F16>, Type::B256),
  op("v_wmma_bf16_16x16x16_bf16", wmma<Element::BF16, Sum::BF16>, Type::B256),
  op("v_wmma_i32_16x16x16_iu8", wmma_integer<8>, Type::B128),
  op("v_wmma_i32_16x16x16_iu4", wmma_integer<4>, Type::U64),
};

}  // namespace

OpTable wmma_ops() { return table; }

}  // namespace gfxemu
