// Grids, hidden arguments, LDS, barriers, reductions, atomics, scratch, divergence.
#include "common.h"

// Sizes come from the dispatch packet or from hidden arguments, as the version of the code object has it.
GLOBAL void add(const float *a, const float *b, float *c, u32 n) {
  u32 i = __builtin_amdgcn_workgroup_id_x() * __builtin_amdgcn_workgroup_size_x() + __builtin_amdgcn_workitem_id_x();
  if (i < n) c[i] = a[i] + b[i];
}

GLOBAL void where(u32 *out) {
  u32 x = __builtin_amdgcn_workitem_id_x(), y = __builtin_amdgcn_workitem_id_y(), z = __builtin_amdgcn_workitem_id_z();
  u32 sx = __builtin_amdgcn_workgroup_size_x(), sy = __builtin_amdgcn_workgroup_size_y(), sz = __builtin_amdgcn_workgroup_size_z();
  u32 gx = __builtin_amdgcn_grid_size_x(), gy = __builtin_amdgcn_grid_size_y();
  u32 ax = __builtin_amdgcn_workgroup_id_x() * sx + x, ay = __builtin_amdgcn_workgroup_id_y() * sy + y, az = __builtin_amdgcn_workgroup_id_z() * sz + z;
  out[(az * gy + ay) * gx + ax] = ax | ay << 8 | az << 16 | sx << 24;
}

KERNEL(256) transpose(const u32 *in, u32 *out) {
  SHARED u32 tile[16][17];
  int t = thread_x(), b = block_x() * 256;
  tile[t / 16][t % 16] = in[b + t];
  barrier();
  out[b + t] = tile[t % 16][t / 16];
}

// A tree over LDS, then one over lanes by shuffles.
KERNEL(256) reduce(const float *in, float *out) {
  SHARED float part[256];
  int t = thread_x();
  part[t] = in[block_x() * 256 + t];
  barrier();
  for (int d = 128; d >= 32; d >>= 1) {
    if (t < d) part[t] += part[t + d];
    barrier();
  }
  if (t < 32) {
    float v = part[t];
    for (int d = 16; d; d >>= 1) v += shuffle(v, (t ^ d) & (WAVE - 1));
    if (t == 0) out[block_x()] = v;
  }
}

// Sums of 16 lanes by DPP; everything that the row controls can do with 4, 8, 1 and mirror.
KERNEL(64) dpp_sum(const int *in, int *out) {
  int t = thread_x(), v = in[block_x() * 64 + t];
  v += __builtin_amdgcn_update_dpp(0, v, 0x118, 15, 15, true);  // row_shr:8
  v += __builtin_amdgcn_update_dpp(0, v, 0x114, 15, 15, true);
  v += __builtin_amdgcn_update_dpp(0, v, 0x112, 15, 15, true);
  v += __builtin_amdgcn_update_dpp(0, v, 0x111, 15, 15, true);
  int mirrored = __builtin_amdgcn_update_dpp(-1, in[block_x() * 64 + t], 0x140, 5, 15, false);  // row_mirror in rows 0 and 2
  out[(block_x() * 64 + t) * 2] = v;
  out[(block_x() * 64 + t) * 2 + 1] = mirrored;
}

KERNEL(64) atomics(const u32 *in, u32 *cells, u64 *wide, float *sum, u32 *order) {
  u32 v = in[block_x() * 64 + thread_x()];
  order[block_x() * 64 + thread_x()] = __hip_atomic_fetch_add(&cells[0], 1u, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
  __hip_atomic_fetch_add(&cells[1], v, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
  __hip_atomic_fetch_max(&cells[2], v, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
  __hip_atomic_fetch_min((int *)&cells[3], (int)v, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
  __hip_atomic_fetch_xor(&cells[4], v, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
  __hip_atomic_fetch_add(&wide[0], (u64)v * v, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
  __hip_atomic_fetch_add(sum, (float)(v & 15), __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
  u32 seen = __hip_atomic_load(&cells[5], __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
  while (!__hip_atomic_compare_exchange_strong(&cells[5], &seen, seen * 2 + 1 > 1000 ? 1000u : seen * 2 + 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT)) {}
}

// Lanes leave the loop at different times, and take different ways in it.
KERNEL(64) collatz(const u32 *in, u32 *out) {
  u32 v = in[block_x() * 64 + thread_x()], steps = 0;
  while (v > 1) {
    if (v & 1) v = 3 * v + 1;
    else v >>= 1;
    steps++;
    if (steps == 500) break;
  }
  out[block_x() * 64 + thread_x()] = steps;
}

// An array that is indexed by data lives in scratch.
KERNEL(64) scratch(const u32 *in, u32 *out, int rounds) {
  volatile u32 a[24];
  int t = thread_x();
  for (int k = 0; k < 24; k++) a[k] = in[(t * 7 + k * 3) & 63];
  for (int k = 0; k < rounds; k++) {
    u32 j = (a[k % 24] + (u32)k) % 24;
    a[j] = a[j] + (u32)k;
  }
  u32 sum = 0;
  for (int k = 0; k < 24; k++) sum = sum * 31 + a[k];
  out[t] = sum;
}

KERNEL(64) stream_copy(const u32 *in, u32 *out) {
  typedef u32 u32x4 __attribute__((ext_vector_type(4)));
  ((u32x4 *)out)[block_x() * 64 + thread_x()] = ((const u32x4 *)in)[block_x() * 64 + thread_x()];
}
