// Kernels that do what they must not.
#include "common.h"

KERNEL(64) write_past(u32 *out, u32 index) { out[thread_x() + index] = 1; }
KERNEL(64) read_past(const u32 *in, u32 *out, u32 index) { out[thread_x()] = in[thread_x() + index]; }
KERNEL(64) lds_past(u32 *out, u32 index) {
  SHARED u32 cells[64];
  cells[thread_x()] = thread_x();
  barrier();
  out[thread_x()] = cells[thread_x() + index];
}
KERNEL(64) read_poison(float *out) {
  float unset;
  __asm__ volatile("v_mov_b32 %0, v40" : "=v"(unset) : : "v40");
  out[thread_x()] = unset;
}
KERNEL(128) no_barrier(const u32 *in, u32 *out) {
  SHARED u32 cells[128];
  cells[thread_x()] = in[thread_x()];
  __builtin_amdgcn_fence(__ATOMIC_RELEASE, "wavefront");
  out[thread_x()] = ((volatile u32 *)cells)[127 - thread_x()];
}
KERNEL(64) endless(volatile u32 *in) { while (in[0] == 0) {} }
KERNEL(64) trapped() { __builtin_trap(); }
