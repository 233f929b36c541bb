// What device code needs from the language, without ROCm's headers: compiles with clang -nogpuinc -nogpulib and with hipRTC.
#pragma once

#ifndef __global__
#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#endif

// Two targets: AMDGCN, and NVPTX for tests of the portable code on NVIDIA GPUs (tests/native/hipcuda).
#define DEVICE __device__ static inline __attribute__((always_inline))
#define DEVICE_SPECIAL __device__ inline __attribute__((always_inline))  // explicit specializations and members have no storage class

// A kernel is always launched with exactly this many threads in x, so that the compiler can give each wave all of its registers.
#if defined(__NVPTX__)
#define KERNEL(threads) extern "C" __global__ __attribute__((launch_bounds(threads))) void
#else
#define KERNEL(threads) extern "C" __global__ __attribute__((amdgpu_flat_work_group_size(threads, threads))) void
#endif

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;
typedef long long i64;
typedef u32 u32x2 __attribute__((ext_vector_type(2)));
typedef u32 u32x4 __attribute__((ext_vector_type(4)));
typedef float f32x4 __attribute__((ext_vector_type(4)));
typedef float f32x8 __attribute__((ext_vector_type(8)));

#if defined(__NVPTX__)
DEVICE int thread_index() { return (int)__nvvm_read_ptx_sreg_tid_x(); }
DEVICE int group_x() { return (int)__nvvm_read_ptx_sreg_ctaid_x(); }
DEVICE int group_y() { return (int)__nvvm_read_ptx_sreg_ctaid_y(); }
DEVICE int group_z() { return (int)__nvvm_read_ptx_sreg_ctaid_z(); }
DEVICE void group_barrier() { __syncthreads(); }
#else
DEVICE int thread_index() { return (int)__builtin_amdgcn_workitem_id_x(); }
DEVICE int group_x() { return (int)__builtin_amdgcn_workgroup_id_x(); }
DEVICE int group_y() { return (int)__builtin_amdgcn_workgroup_id_y(); }
DEVICE int group_z() { return (int)__builtin_amdgcn_workgroup_id_z(); }

// Waits for every thread of the group; LDS writes before it are seen after it.
DEVICE void group_barrier() {
    __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup");
    __builtin_amdgcn_s_barrier();
    __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup");
}
#endif

template <class A, class B> DEVICE auto min_of(A a, B b) -> decltype(a + b) { return a < b ? a : b; }
template <class A, class B> DEVICE auto max_of(A a, B b) -> decltype(a + b) { return a > b ? a : b; }
DEVICE i64 ceil_div(i64 a, i64 b) { return (a + b - 1) / b; }

// The first type where kFirst, else the second.
template <bool kFirst, class A, class B> struct Pick { typedef A type; };
template <class A, class B> struct Pick<false, A, B> { typedef B type; };
