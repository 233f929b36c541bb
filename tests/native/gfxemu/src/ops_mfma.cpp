// v_mfma of gfx942: D = A x B + C on blocks held by the whole wave, EXEC ignored.
#include "matrix.h"
#include "ops.h"

#include <array>
#include <string>
#include <vector>

namespace gfxemu {
namespace {

struct Shape { int m, n, k, blocks; };

// The element (row, column) of block b that accumulator register r holds in a lane.
struct Place { int block, row, column; };
template <Shape S> constexpr Place place(int r, int lane) {
  if (S.m == 4) return {lane / 4, r, lane % 4};
  if (S.m == 16) return {r / 4, 4 * (lane / 16) + r % 4, lane % 16};
  return {r / 16, 8 * (r % 16 / 4) + 4 * (lane / 32) + r % 4, lane % 32};
}

// A wave holds M x K x blocks elements of A: lane l has row l % M, and the k or the blocks run over l / M.
template <Shape S, class T, class Load> void gather(T *to, int edge, bool transposed, Load load) {
  int each = edge * S.k * S.blocks / 64;
  for (int lane = 0; lane < 64; lane++) {
    int i = lane % edge, g = lane / edge;
    // For several blocks the lanes behind the first edge hold other blocks, and, where there are too many, further k.
    int block = S.blocks > 1 ? g % S.blocks : 0, k0 = S.blocks > 1 ? g / S.blocks * each : g * each;
    for (int e = 0; e < each; e++) {
      int k = k0 + e;
      to[transposed ? (block * S.k + k) * edge + i : (block * edge + i) * S.k + k] = load(lane, e);
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

template <Shape S, class T> void accumulate(const Inst &i, const T *a, const T *b, T *c) {
  for (int block = 0; block < S.blocks; block++) {
    int source = block_of_a(i, block);
    for (int row = 0; row < S.m; row++) {
      T *out = c + (block * S.m + row) * S.n;
      const T *left = a + (source * S.m + row) * S.k;
      for (int k = 0; k < S.k; k++) {
        const T *right = b + (block * S.k + k) * S.n;
        T x = left[k];
        for (int n = 0; n < S.n; n++) {
          if constexpr (std::is_same_v<T, float>) out[n] = __builtin_fmaf(x, right[n], out[n]);
          else if constexpr (std::is_same_v<T, double>) out[n] = __builtin_fma(x, right[n], out[n]);
          else out[n] += x * right[n];
        }
      }
    }
  }
}

template <Shape S, Element A, Element B> void mfma(Wave &w, const Inst &i) {
  if (i.blgp == 3) w.fail(719, "blgp 3 (rotated B) is not modelled");
  constexpr bool integer = A == Element::I8;
  using T = std::conditional_t<integer, i32, float>;
  alignas(64) T a[S.m * S.k * S.blocks], b[S.n * S.k * S.blocks], c[S.m * S.n * S.blocks];
  const u32 *ra = w.row(i.src[0]), *rb = w.row(i.src[1]);
  gather<S>(a, S.m, false, [&](int lane, int e) -> T {
    if constexpr (integer) return (i8)(ra[(e / 4) * MaxLanes + lane] >> (8 * (e & 3)));
    else return element_f32(ra, lane, e, A);
  });
  gather<S>(b, S.n, true, [&](int lane, int e) -> T {
    int from = lane_of_b(i, lane);
    if constexpr (integer) return (i8)(rb[(e / 4) * MaxLanes + from] >> (8 * (e & 3)));
    else return element_f32(rb, from, e, B);
  });
  constexpr int registers = S.m * S.n * S.blocks / 64;
  bool constant = i.src[2] < Vgpr;
  u32 value = constant ? scalar(w, i, 2) : 0;
  for (int r = 0; r < registers; r++) {
    const u32 *row = constant ? nullptr : w.row(i.src[2] + (u32)r);
    for (int lane = 0; lane < 64; lane++) {
      Place p = place<S>(r, lane);
      c[(p.block * S.m + p.row) * S.n + p.column] = std::bit_cast<T>(constant ? value : row[lane]);
    }
  }
  accumulate<S>(i, a, b, c);
  for (int r = 0; r < registers; r++) {
    u32 *row = w.row(i.dst + (u32)r);
    for (int lane = 0; lane < 64; lane++) {
      Place p = place<S>(r, lane);
      row[lane] = std::bit_cast<u32>(c[(p.block * S.m + p.row) * S.n + p.column]);
    }
  }
}

// f64: accumulator register pair r of a lane holds row 4 r + lane / 16 of a 16 x 16 block, or the only element of a 4 x 4 one.
template <Shape S> void mfma_f64(Wave &w, const Inst &i) {
  alignas(64) double a[S.m * S.k * S.blocks], b[S.n * S.k * S.blocks], c[S.m * S.n * S.blocks];
  auto read = [&](u32 operand, int lane) { return as_f64(join(w.row(operand)[lane], w.row(operand + 1)[lane])); };
  bool four = S.m == 4;
  for (int lane = 0; lane < 64; lane++) {
    int edge = lane % S.m, block = four ? lane / 4 % 4 : 0, k = four ? lane / 16 : lane / 16;
    a[(block * S.m + edge) * S.k + k] = read(i.src[0], lane);
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
