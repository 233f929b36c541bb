// What a program given to hipRTC may use without including anything.
#pragma once

namespace gfxemu {

inline const char hiprtc_prelude[] = R"prelude(
#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __host__ __attribute__((host))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...) __gfxemu_bounds(__VA_ARGS__, 0)
#define __gfxemu_bounds(n, ...) __attribute__((amdgpu_flat_work_group_size(1, n)))
typedef __UINT8_TYPE__ uint8_t;
typedef __UINT16_TYPE__ uint16_t;
typedef __UINT32_TYPE__ uint32_t;
typedef __UINT64_TYPE__ uint64_t;
typedef __INT8_TYPE__ int8_t;
typedef __INT16_TYPE__ int16_t;
typedef __INT32_TYPE__ int32_t;
typedef __INT64_TYPE__ int64_t;
typedef __SIZE_TYPE__ size_t;
typedef __UINTPTR_TYPE__ uintptr_t;
struct __gfxemu_thread {
  static __device__ unsigned gx() { return __builtin_amdgcn_workitem_id_x(); }
  static __device__ unsigned gy() { return __builtin_amdgcn_workitem_id_y(); }
  static __device__ unsigned gz() { return __builtin_amdgcn_workitem_id_z(); }
  __declspec(property(get = gx)) unsigned x;
  __declspec(property(get = gy)) unsigned y;
  __declspec(property(get = gz)) unsigned z;
};
struct __gfxemu_block {
  static __device__ unsigned gx() { return __builtin_amdgcn_workgroup_id_x(); }
  static __device__ unsigned gy() { return __builtin_amdgcn_workgroup_id_y(); }
  static __device__ unsigned gz() { return __builtin_amdgcn_workgroup_id_z(); }
  __declspec(property(get = gx)) unsigned x;
  __declspec(property(get = gy)) unsigned y;
  __declspec(property(get = gz)) unsigned z;
};
struct __gfxemu_size {
  static __device__ unsigned gx() { return __builtin_amdgcn_workgroup_size_x(); }
  static __device__ unsigned gy() { return __builtin_amdgcn_workgroup_size_y(); }
  static __device__ unsigned gz() { return __builtin_amdgcn_workgroup_size_z(); }
  __declspec(property(get = gx)) unsigned x;
  __declspec(property(get = gy)) unsigned y;
  __declspec(property(get = gz)) unsigned z;
};
struct __gfxemu_grid {
  static __device__ unsigned gx() { return __builtin_amdgcn_grid_size_x() / __builtin_amdgcn_workgroup_size_x(); }
  static __device__ unsigned gy() { return __builtin_amdgcn_grid_size_y() / __builtin_amdgcn_workgroup_size_y(); }
  static __device__ unsigned gz() { return __builtin_amdgcn_grid_size_z() / __builtin_amdgcn_workgroup_size_z(); }
  __declspec(property(get = gx)) unsigned x;
  __declspec(property(get = gy)) unsigned y;
  __declspec(property(get = gz)) unsigned z;
};
extern const __device__ __attribute__((weak)) __gfxemu_thread threadIdx;
extern const __device__ __attribute__((weak)) __gfxemu_block blockIdx;
extern const __device__ __attribute__((weak)) __gfxemu_size blockDim;
extern const __device__ __attribute__((weak)) __gfxemu_grid gridDim;
#define warpSize ((int)__builtin_amdgcn_wavefrontsize())
static __device__ inline __attribute__((always_inline)) void __syncthreads() {
  __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup");
  __builtin_amdgcn_s_barrier();
  __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup");
}
)prelude";

}  // namespace gfxemu
