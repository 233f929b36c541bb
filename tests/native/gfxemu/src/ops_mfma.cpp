// v_mfma of gfx942: D = A x B + C on blocks held by the whole wave, EXEC ignored.
#include "matrix.h"
#include "ops.h"

#include <algorithm>

namespace gfxemu {
namespace {

struct Shape { int m, n, k, blocks; };

// Lanes that follow one another hold neighbours of a row, as many as the edge is long; so data moves in such groups.
constexpr int groups(int edge) { return 64 / edge; }

// The row of C and its block that accumulator register r holds in group g.
struct Place { int block, row; };
template <Shape S> constexpr Place place(int r, int g) {
  if (S.m == 4) return {g, r};
  if (S.m == 16) return {r / 4, 4 * g + r % 4};
  return {r / 16, 8 * (r % 16 / 4) + 4 * g + r % 4};
}

// A wave holds K x edge elements of every block: lane l has column l % edge; the k, or the blocks, run over l / edge.
template <Shape S, Element E, class T> void gather(Wave &w, u32 operand, int edge, T *to, const u8 *lanes) {
  int each = edge * S.k * S.blocks / 64;
  alignas(64) T row[MaxLanes];
  for (int e = 0; e < each; e++) {
    unpack<E>(w.row(operand + (u32)(e / elements_per_register(E))), e % elements_per_register(E), row);
    if (lanes) {
      T moved[MaxLanes];
      for (int l = 0; l < MaxLanes; l++) moved[l] = row[lanes[l]];
      memcpy(row, moved, sizeof row);
    }
    for (int g = 0; g < groups(edge); g++) {
      int block = S.blocks > 1 ? g : 0, k = (S.blocks > 1 ? 0 : g * each) + e;
      memcpy(to + (block * S.k + k) * edge, row + g * edge, sizeof(T) * (size_t)edge);
    }
  }
}

// Blocks of A that are broadcast: cbsz picks groups of 2^cbsz blocks, abid the one that is read.
int block_of_a(const Inst &i, int b) { return i.cbsz ? (b >> i.cbsz << i.cbsz) + i.abid : b; }
// The lane that B is read from, by blgp.
int lane_of_b(const Inst &i, int lane) {
  switch (i.blgp) {
    case 1: return lane & 31;
    case 2: return 32 + (lane & 31);
    case 4: case 5: case 6: case 7: return (lane & 15) + 16 * (i.blgp - 4);
    default: return lane;
  }
}

// a is [blocks][K][M], b [blocks][K][N], c [blocks][M][N].
template <Shape S, class T> void accumulate(const Inst &i, const T *a, const T *b, T *c) {
  for (int block = 0; block < S.blocks; block++) {
    const T *left = a + block_of_a(i, block) * S.k * S.m, *right = b + block * S.k * S.n;
    for (int row = 0; row < S.m; row++) {
      T *out = c + (block * S.m + row) * S.n;
      if constexpr (std::is_same_v<T, float> && S.n % 8 == 0) {
        add_products<S.n, S.k>(left + row, S.m, right, out);
        continue;
      }
      for (int k = 0; k < S.k; k++) {
        T x = left[k * S.m + row];
        for (int n = 0; n < S.n; n++) {
          if constexpr (std::is_same_v<T, i32>) out[n] += x * right[k * S.n + n];
          else out[n] = std::fma(x, right[k * S.n + n], out[n]);
        }
      }
    }
  }
}

template <Shape S, Element A, Element B> void mfma(Wave &w, const Inst &i) {
  if (i.blgp == 3) w.fail(719, "blgp 3 (rotated B) is not modelled");
  using T = std::conditional_t<A == Element::I8, i32, float>;
  alignas(64) T a[S.m * S.k * S.blocks], b[S.n * S.k * S.blocks], c[S.m * S.n * S.blocks];
  u8 lanes[MaxLanes];
  for (int l = 0; l < MaxLanes; l++) lanes[l] = (u8)lane_of_b(i, l);
  gather<S, A>(w, i.src[0], S.m, a, nullptr);
  gather<S, B>(w, i.src[1], S.n, b, i.blgp ? lanes : nullptr);
  constexpr int registers = S.m * S.n * S.blocks / 64;
  T constant = i.src[2] < Vgpr ? std::bit_cast<T>(scalar(w, i, 2)) : T();
  for (int r = 0; r < registers; r++)
    for (int g = 0; g < groups(S.n); g++) {
      Place p = place<S>(r, g);
      T *row = c + (p.block * S.m + p.row) * S.n;
      if (i.src[2] < Vgpr) std::fill_n(row, S.n, constant);
      else memcpy(row, w.row(i.src[2] + (u32)r) + g * S.n, sizeof(T) * S.n);
    }
  accumulate<S>(i, a, b, c);
  for (int r = 0; r < registers; r++)
    for (int g = 0; g < groups(S.n); g++) {
      Place p = place<S>(r, g);
      memcpy(w.row(i.dst + (u32)r) + g * S.n, c + (p.block * S.m + p.row) * S.n, sizeof(T) * S.n);
    }
}

// f64: accumulator register pair r of a lane holds row 4 r + lane / 16 of a 16 x 16 block, or the only element of a 4 x 4 one.
template <Shape S> void mfma_f64(Wave &w, const Inst &i) {
  alignas(64) double a[S.m * S.k * S.blocks], b[S.n * S.k * S.blocks], c[S.m * S.n * S.blocks];
  auto read = [&](u32 operand, int lane) { return as_f64(join(w.row(operand)[lane], w.row(operand + 1)[lane])); };
  bool four = S.m == 4;
  for (int lane = 0; lane < 64; lane++) {
    int edge = lane % S.m, block = four ? lane / 4 % 4 : 0, k = lane / 16;
    a[(block * S.k + k) * S.m + edge] = read(i.src[0], lane);
    b[(block * S.k + k) * S.n + edge] = read(i.src[1], lane);
  }
  if (i.blgp & 1) for (double &x : a) x = -x;
  if (i.blgp & 2) for (double &x : b) x = -x;
  auto index = [&](int r, int lane) {
    if (four) return (lane / 4 % 4 * S.m + lane / 16) * S.n + lane % 4;
    return (4 * r + lane / 16) * S.n + lane % 16;
  };
  constexpr int registers = S.m * S.n * S.blocks / 64;
  for (int r = 0; r < registers; r++)
    for (int lane = 0; lane < 64; lane++) {
      double x = i.src[2] < Vgpr ? as_f64(scalar64(w, i, 2)) : read(i.src[2] + 2u * (u32)r, lane);
      c[index(r, lane)] = i.blgp & 4 ? -x : x;
    }
  accumulate<S>(i, a, b, c);
  for (int r = 0; r < registers; r++)
    for (int lane = 0; lane < 64; lane++) {
      u64 bits = as_u64(c[index(r, lane)]);
      w.row(i.dst + 2u * (u32)r)[lane] = (u32)bits;
      w.row(i.dst + 2u * (u32)r + 1)[lane] = (u32)(bits >> 32);
    }
}

constexpr Type row_type(int words) { return words == 1 ? Type::U32 : words == 2 ? Type::U64 : words == 4 ? Type::B128 : words == 8 ? Type::B256 : words == 16 ? Type::B512 : Type::B1024; }

template <Shape S, Element A, Element B = A> constexpr OpInfo op(const char *name) {
  constexpr int bits = A == Element::F32 ? 32 : A == Element::F16 || A == Element::BF16 ? 16 : 8;
  constexpr Type source = row_type(S.m * S.k * S.blocks * bits / 64 / 32), sum = row_type(S.m * S.n * S.blocks / 64);
  return {name, mfma<S, A, B>, Class::Matrix, sum, {source, source, sum}, 0};
}
constexpr auto E4 = Element::FP8;
constexpr auto E5 = Element::BF8;

const OpInfo table[] = {
  op<Shape{32, 32, 1, 2}, Element::F32>("v_mfma_f32_32x32x1_2b_f32"), op<Shape{16, 16, 1, 4}, Element::F32>("v_mfma_f32_16x16x1_4b_f32"),
  op<Shape{4, 4, 1, 16}, Element::F32>("v_mfma_f32_4x4x1_16b_f32"),
  op<Shape{32, 32, 2, 1}, Element::F32>("v_mfma_f32_32x32x2_f32"), op<Shape{16, 16, 4, 1}, Element::F32>("v_mfma_f32_16x16x4_f32"),
  op<Shape{32, 32, 4, 2}, Element::F16>("v_mfma_f32_32x32x4_2b_f16"), op<Shape{16, 16, 4, 4}, Element::F16>("v_mfma_f32_16x16x4_4b_f16"),
  op<Shape{4, 4, 4, 16}, Element::F16>("v_mfma_f32_4x4x4_16b_f16"),
  op<Shape{32, 32, 8, 1}, Element::F16>("v_mfma_f32_32x32x8_f16"), op<Shape{16, 16, 16, 1}, Element::F16>("v_mfma_f32_16x16x16_f16"),
  op<Shape{32, 32, 4, 2}, Element::BF16>("v_mfma_f32_32x32x4_2b_bf16"), op<Shape{16, 16, 4, 4}, Element::BF16>("v_mfma_f32_16x16x4_4b_bf16"),
  op<Shape{4, 4, 4, 16}, Element::BF16>("v_mfma_f32_4x4x4_16b_bf16"),
  op<Shape{32, 32, 8, 1}, Element::BF16>("v_mfma_f32_32x32x8_bf16"), op<Shape{16, 16, 16, 1}, Element::BF16>("v_mfma_f32_16x16x16_bf16"),
  op<Shape{32, 32, 4, 2}, Element::I8>("v_mfma_i32_32x32x4_2b_i8"), op<Shape{16, 16, 4, 4}, Element::I8>("v_mfma_i32_16x16x4_4b_i8"),
  op<Shape{4, 4, 4, 16}, Element::I8>("v_mfma_i32_4x4x4_16b_i8"),
  op<Shape{32, 32, 16, 1}, Element::I8>("v_mfma_i32_32x32x16_i8"), op<Shape{16, 16, 32, 1}, Element::I8>("v_mfma_i32_16x16x32_i8"),
  op<Shape{16, 16, 32, 1}, E5, E5>("v_mfma_f32_16x16x32_bf8_bf8"), op<Shape{16, 16, 32, 1}, E5, E4>("v_mfma_f32_16x16x32_bf8_fp8"),
  op<Shape{16, 16, 32, 1}, E4, E5>("v_mfma_f32_16x16x32_fp8_bf8"), op<Shape{16, 16, 32, 1}, E4, E4>("v_mfma_f32_16x16x32_fp8_fp8"),
  op<Shape{32, 32, 16, 1}, E5, E5>("v_mfma_f32_32x32x16_bf8_bf8"), op<Shape{32, 32, 16, 1}, E5, E4>("v_mfma_f32_32x32x16_bf8_fp8"),
  op<Shape{32, 32, 16, 1}, E4, E5>("v_mfma_f32_32x32x16_fp8_bf8"), op<Shape{32, 32, 16, 1}, E4, E4>("v_mfma_f32_32x32x16_fp8_fp8"),
  {"v_mfma_f64_16x16x4_f64", mfma_f64<Shape{16, 16, 4, 1}>, Class::Matrix, Type::B256, {Type::F64, Type::F64, Type::B256}, 0},
  {"v_mfma_f64_4x4x4_4b_f64", mfma_f64<Shape{4, 4, 4, 4}>, Class::Matrix, Type::F64, {Type::F64, Type::F64, Type::F64}, 0},
};

}  // namespace

OpTable mfma_ops() { return table; }

}  // namespace gfxemu
