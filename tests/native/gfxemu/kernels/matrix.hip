// One tile of C = A x B with A [16][K] and B [K][16], by MFMA where there is MFMA, by WMMA where there is WMMA.
#include "common.h"

#if defined(__gfx942__)
typedef _Float16 half4 __attribute__((ext_vector_type(4)));
typedef short short4_ __attribute__((ext_vector_type(4)));
typedef float float4_ __attribute__((ext_vector_type(4)));
typedef float float16_ __attribute__((ext_vector_type(16)));

KERNEL(64) gemm_f16(const _Float16 *a, const _Float16 *b, float *c, int depth) {
  int t = thread_x(), i = t % 16, k0 = t / 16 * 4;
  float4_ sum = {0, 0, 0, 0};
  for (int k = 0; k < depth; k += 16) {
    half4 x, y;
    for (int e = 0; e < 4; e++) { x[e] = a[i * depth + k + k0 + e]; y[e] = b[(k + k0 + e) * 16 + i]; }
    sum = __builtin_amdgcn_mfma_f32_16x16x16f16(x, y, sum, 0, 0, 0);
  }
  for (int r = 0; r < 4; r++) c[(k0 + r) * 16 + i] = sum[r];
}
KERNEL(64) gemm_bf16(const short *a, const short *b, float *c, int depth) {
  int t = thread_x(), i = t % 16, k0 = t / 16 * 4;
  float4_ sum = {0, 0, 0, 0};
  for (int k = 0; k < depth; k += 16) {
    short4_ x, y;
    for (int e = 0; e < 4; e++) { x[e] = a[i * depth + k + k0 + e]; y[e] = b[(k + k0 + e) * 16 + i]; }
    sum = __builtin_amdgcn_mfma_f32_16x16x16bf16_1k(x, y, sum, 0, 0, 0);
  }
  for (int r = 0; r < 4; r++) c[(k0 + r) * 16 + i] = sum[r];
}
// A [32][K], B [K][32]
KERNEL(64) gemm_f16_32(const _Float16 *a, const _Float16 *b, float *c, int depth) {
  int t = thread_x(), i = t % 32, k0 = t / 32 * 4;
  float16_ sum = {0};
  for (int k = 0; k < depth; k += 8) {
    half4 x, y;
    for (int e = 0; e < 4; e++) { x[e] = a[i * depth + k + k0 + e]; y[e] = b[(k + k0 + e) * 32 + i]; }
    sum = __builtin_amdgcn_mfma_f32_32x32x8f16(x, y, sum, 0, 0, 0);
  }
  for (int r = 0; r < 16; r++) c[(8 * (r / 4) + k0 + r % 4) * 32 + i] = sum[r];
}
// Sixteen products of 4 x 4 matrices: A [16][4][4], B [16][4][4]
KERNEL(64) gemm_4x4(const _Float16 *a, const _Float16 *b, float *c) {
  int t = thread_x(), block = t / 4, i = t % 4;
  half4 x, y;
  for (int e = 0; e < 4; e++) { x[e] = a[block * 16 + i * 4 + e]; y[e] = b[block * 16 + e * 4 + i]; }
  float4_ sum = {0, 0, 0, 0};
  sum = __builtin_amdgcn_mfma_f32_4x4x4f16(x, y, sum, 0, 0, 0);
  for (int r = 0; r < 4; r++) c[block * 16 + r * 4 + i] = sum[r];
}
// Bytes in e4m3: A [16][32], B [32][16]
KERNEL(64) gemm_fp8(const u8 *a, const u8 *b, float *c) {
  int t = thread_x(), i = t % 16, k0 = t / 16 * 8;
  u64 x = 0, y = 0;
  for (int e = 0; e < 8; e++) { x |= (u64)a[i * 32 + k0 + e] << (8 * e); y |= (u64)b[(k0 + e) * 16 + i] << (8 * e); }
  float4_ sum = {0, 0, 0, 0};
  sum = __builtin_amdgcn_mfma_f32_16x16x32_fp8_fp8((long)x, (long)y, sum, 0, 0, 0);
  for (int r = 0; r < 4; r++) c[(t / 16 * 4 + r) * 16 + i] = sum[r];
}
#else
typedef _Float16 half16 __attribute__((ext_vector_type(16)));
typedef short short16_ __attribute__((ext_vector_type(16)));
typedef float float8_ __attribute__((ext_vector_type(8)));

KERNEL(32) gemm_f16(const _Float16 *a, const _Float16 *b, float *c, int depth) {
  int t = thread_x(), i = t % 16;
  float8_ sum = {0};
  for (int k = 0; k < depth; k += 16) {
    half16 x, y;
    for (int e = 0; e < 16; e++) { x[e] = a[i * depth + k + e]; y[e] = b[(k + e) * 16 + i]; }
    sum = __builtin_amdgcn_wmma_f32_16x16x16_f16_w32(x, y, sum);
  }
  for (int r = 0; r < 8; r++) c[(2 * r + t / 16) * 16 + i] = sum[r];
}
KERNEL(32) gemm_bf16(const short *a, const short *b, float *c, int depth) {
  int t = thread_x(), i = t % 16;
  float8_ sum = {0};
  for (int k = 0; k < depth; k += 16) {
    short16_ x, y;
    for (int e = 0; e < 16; e++) { x[e] = a[i * depth + k + e]; y[e] = b[(k + e) * 16 + i]; }
    sum = __builtin_amdgcn_wmma_f32_16x16x16_bf16_w32(x, y, sum);
  }
  for (int r = 0; r < 8; r++) c[(2 * r + t / 16) * 16 + i] = sum[r];
}
#endif
