// Arithmetic that the host repeats: conversions, integers, transcendental functions, packed halves, 8-bit floats.
#include "common.h"

typedef _Float16 half2 __attribute__((ext_vector_type(2)));

KERNEL(64) convert(const float *in, float *out, u32 *bits) {
  int i = block_x() * 64 + thread_x();
  float x = in[i];
  out[i * 4] = (float)(_Float16)x;
  out[i * 4 + 1] = (float)(__bf16)x;
  out[i * 4 + 2] = __builtin_floorf(x);
  out[i * 4 + 3] = __builtin_rintf(x);
  bits[i * 2] = (u32)(int)x;
  bits[i * 2 + 1] = x > 0 && x < 4294967040.0f ? (u32)x : 0;
}

// The instructions of the transcendental unit, and the functions that the compiler builds of them.
KERNEL(64) transcendental(const float *in, float *out) {
  int i = block_x() * 64 + thread_x();
  float x = in[i];
  out[i * 8] = __builtin_amdgcn_exp2f(x);
  out[i * 8 + 1] = __builtin_amdgcn_logf(x);
  out[i * 8 + 2] = __builtin_amdgcn_rcpf(x);
  out[i * 8 + 3] = __builtin_amdgcn_rsqf(x);
  out[i * 8 + 4] = __builtin_amdgcn_sqrtf(x);
  out[i * 8 + 5] = __builtin_exp2f(x);
  out[i * 8 + 6] = 1.0f / x;
  out[i * 8 + 7] = x / 3.7f;
}

KERNEL(64) integers(const u64 *a, const u64 *b, u64 *out) {
  int i = block_x() * 64 + thread_x();
  u64 x = a[i], y = b[i], *r = out + i * 10;
  r[0] = x * y;
  r[1] = x + y;
  r[2] = x - y;
  r[3] = y ? x / y : 0;
  r[4] = y ? (u64)((i64)x % (i64)(y >> 1 | 1)) : 0;
  r[5] = x << (y & 63);
  r[6] = (u64)((i64)x >> (y & 63));
  r[7] = (u64)__builtin_popcountl(x) | (u64)__builtin_clzl(x | 1) << 8 | (u64)__builtin_ctzl(x | 1ul << 63) << 16;
  r[8] = (u64)(((unsigned __int128)x * y) >> 64);
  r[9] = x < y ? 1 : (i64)x > (i64)y ? 2 : 3;
}

KERNEL(64) halves(const half2 *a, const half2 *b, const half2 *c, half2 *out) {
  int i = block_x() * 64 + thread_x();
  out[i * 4] = a[i] + b[i];
  out[i * 4 + 1] = a[i] * b[i];
  out[i * 4 + 2] = __builtin_elementwise_fma(a[i], b[i], c[i]);
  out[i * 4 + 3] = half2{(_Float16)(a[i].y / b[i].x), (_Float16)(a[i].x - b[i].y)};
}

KERNEL(64) doubles(const double *a, const double *b, double *out) {
  int i = block_x() * 64 + thread_x();
  out[i * 4] = a[i] * b[i] + 1.0;
  out[i * 4 + 1] = a[i] / b[i];
  out[i * 4 + 2] = __builtin_fma(a[i], b[i], -1.0);
  out[i * 4 + 3] = (double)(float)a[i] + (double)(int)b[i];
}

// v_med3, v_perm, bit fields, and a dot product of bytes by hand.
KERNEL(64) bits(const u32 *a, const u32 *b, u32 *out) {
  int i = block_x() * 64 + thread_x();
  u32 x = a[i], y = b[i];
  out[i * 6] = __builtin_amdgcn_perm(x, y, 0x0706010c);
  out[i * 6 + 1] = (x >> 5 & 0x1ff) | (u32)((int)(y << 7) >> 21) << 9;
  out[i * 6 + 2] = __builtin_amdgcn_alignbit(x, y, 13);
  out[i * 6 + 3] = __builtin_bitreverse32(x) ^ __builtin_bswap32(y);
  int low = (int)x < -5000 ? -5000 : (int)x;
  out[i * 6 + 4] = (u32)(low > 70000 ? 70000 : low);
  u16 s = (u16)((u16)x * (u16)y + (u16)(x >> 16));
  out[i * 6 + 5] = (u32)(short)(s >> 3) ^ (u32)(u8)(x + y);
}

#if defined(__gfx942__)
// The 8-bit formats of gfx942: to them and back.
KERNEL(64) fp8(const float *in, u32 *packed, float *back) {
  int i = block_x() * 64 + thread_x();
  int v = __builtin_amdgcn_cvt_pk_fp8_f32(in[2 * i], in[2 * i + 1], 0, false);
  v = __builtin_amdgcn_cvt_pk_bf8_f32(in[2 * i], in[2 * i + 1], v, true);
  packed[i] = (u32)v;
  back[i * 4] = __builtin_amdgcn_cvt_f32_fp8(v, 0);
  back[i * 4 + 1] = __builtin_amdgcn_cvt_f32_fp8(v, 1);
  back[i * 4 + 2] = __builtin_amdgcn_cvt_f32_bf8(v, 2);
  back[i * 4 + 3] = __builtin_amdgcn_cvt_f32_bf8(v, 3);
}
// Two at a time: the results of one instruction are a pair of registers, its source a half of one.
KERNEL(64) fp8_pairs(const u32 *packed, float *back) {
  typedef float float2 __attribute__((ext_vector_type(2)));
  int i = block_x() * 64 + thread_x(), v = (int)packed[i];
  float2 low = __builtin_amdgcn_cvt_pk_f32_fp8(v, false), high = __builtin_amdgcn_cvt_pk_f32_bf8(v, true);
  back[i * 4] = low.x;
  back[i * 4 + 1] = low.y;
  back[i * 4 + 2] = high.x;
  back[i * 4 + 3] = high.y;
}
#endif
