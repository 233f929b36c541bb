// The declarations that freestanding device code needs.
#pragma once
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned u32;
typedef unsigned long u64;
typedef long i64;
#define GLOBAL extern "C" __attribute__((global))
#define KERNEL(threads) GLOBAL __attribute__((amdgpu_flat_work_group_size(threads, threads))) void
#define DEVICE __attribute__((device)) static inline __attribute__((always_inline))
#define SHARED __attribute__((shared))
#define WAVE ((int)__builtin_amdgcn_wavefrontsize())
DEVICE int thread_x() { return (int)__builtin_amdgcn_workitem_id_x(); }
DEVICE int block_x() { return (int)__builtin_amdgcn_workgroup_id_x(); }
DEVICE void barrier() {
  __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup");
  __builtin_amdgcn_s_barrier();
  __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup");
}
template <class T> DEVICE T shuffle(T v, int lane) {
  union { T t; int i; } u;
  u.i = 0;
  u.t = v;
  u.i = __builtin_amdgcn_ds_bpermute(lane * 4, u.i);
  return u.t;
}
