// The parts that matrix instructions share.
#pragma once
#include "valu.h"

namespace gfxemu {

enum class Element : u8 { F32, F16, BF16, FP8, BF8, I8 };
constexpr int elements_per_register(Element e) { return e == Element::F32 ? 1 : e == Element::F16 || e == Element::BF16 ? 2 : 4; }

// Element e of every lane, from the register that holds it.
template <Element E, class T> void unpack(const u32 *row, int e, T *to) {
  int shift = 32 / elements_per_register(E) * e;
  if constexpr (E == Element::F16) {
    Lanes shifted;
    for (int l = 0; l < MaxLanes; l++) shifted.v[l] = row[l] >> shift;
    halves_to_f32(shifted.v, to);
  } else if constexpr (E == Element::FP8 || E == Element::BF8) {
    const float *table = fp8_table(E == Element::FP8 ? Fp8::E4M3 : Fp8::E5M2);
    for (int l = 0; l < MaxLanes; l++) to[l] = table[row[l] >> shift & 255];
  } else {
    for (int l = 0; l < MaxLanes; l++) {
      if constexpr (E == Element::BF16) to[l] = as_f32(row[l] >> shift << 16);
      else if constexpr (E == Element::I8) to[l] = (i8)(row[l] >> shift);
      else to[l] = as_f32(row[l]);
    }
  }
}

// out[n] += sum over k, in that order, of left[k * stride] * right[k][n], rounded once for each k.
template <int N, int K> void add_products(const float *left, int stride, const float *right, float *out) {
  static_assert(N % 8 == 0);
  __m256 sum[N / 8];
#pragma GCC unroll 4
  for (int v = 0; v < N / 8; v++) sum[v] = _mm256_loadu_ps(out + 8 * v);
  for (int k = 0; k < K; k++) {
    __m256 x = _mm256_set1_ps(left[k * stride]);
#pragma GCC unroll 4
    for (int v = 0; v < N / 8; v++) sum[v] = _mm256_fmadd_ps(x, _mm256_loadu_ps(right + k * N + 8 * v), sum[v]);
  }
#pragma GCC unroll 4
  for (int v = 0; v < N / 8; v++) _mm256_storeu_ps(out + 8 * v, sum[v]);
}

}  // namespace gfxemu
