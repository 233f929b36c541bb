// A wave: 64 lanes on CDNA, 32 on RDNA. Shuffles and reductions over lanes and over the waves of a group.
#pragma once
#include "numeric.h"

#if defined(__GFX9__)
constexpr int kWave = 64;
#else
constexpr int kWave = 32;
#endif

#if defined(__NVPTX__)
DEVICE int lane_index() { return (int)__nvvm_read_ptx_sreg_laneid(); }
DEVICE int wave_index() { return thread_index() / kWave; }

// What a lane wrote to LDS before is seen by its wave after.
DEVICE void wave_sync() { __nvvm_bar_warp_sync(~0u); }

template <int kMask> DEVICE u32 lane_xor(u32 value) { return (u32)__nvvm_shfl_sync_bfly_i32(~0u, (int)value, kMask, 31); }

DEVICE u32 lane_read(u32 value, int lane) { return (u32)__nvvm_shfl_sync_idx_i32(~0u, (int)value, lane, 31); }

// True for all lanes when it is for any.
DEVICE bool lanes_any(bool value) { return __nvvm_vote_any_sync(~0u, value); }

template <class Any> DEVICE void finish_before_loads(Any&) {}
template <class Any> DEVICE void finish_first(Any&, u32&) {}
template <class Any> DEVICE void finish_product(Any&) {}
DEVICE int hidden(int value) { return value; }

DEVICE void schedule_barrier() {}

// A value that all lanes of the wave have: kept once for all.
DEVICE int wave_uniform(int value) { return value; }

// An element at an address that all lanes have, of memory that the kernel does not write.
DEVICE int load_scalar(const int* address) { return *address; }
#else
DEVICE int lane_index() {
    if constexpr (kWave == 64) return (int)__builtin_amdgcn_mbcnt_hi(~0u, __builtin_amdgcn_mbcnt_lo(~0u, 0));
    return (int)__builtin_amdgcn_mbcnt_lo(~0u, 0);
}

DEVICE int wave_index() { return __builtin_amdgcn_readfirstlane(thread_index() / kWave); }

// What a lane wrote to LDS before is seen by its wave after: LDS operations of a wave are in order, the compiler has to keep them so.
DEVICE void wave_sync() {
    __builtin_amdgcn_fence(__ATOMIC_RELEASE, "wavefront");
    __builtin_amdgcn_wave_barrier();
}

// Nothing is moved across by the compiler: bounds the registers of loads that it would hoist.
DEVICE void schedule_barrier() { __builtin_amdgcn_sched_barrier(0); }

DEVICE u32 lane_read(u32 value, int lane) { return (u32)__builtin_amdgcn_ds_bpermute(lane << 2, (int)value); }

// A value that all lanes of the wave have: kept once for all.
DEVICE int wave_uniform(int value) { return __builtin_amdgcn_readfirstlane(value); }

// An element at an address that all lanes have, of memory that the kernel does not write.
DEVICE int load_scalar(const int* address) { return *(const __attribute__((address_space(4))) int*)(u64)address; }

// The value of lane (own index ^ mask).
template <int kMask> DEVICE u32 lane_xor(u32 value) {
    static_assert(kMask > 0 && kMask < kWave);
    if constexpr (kMask < 32) return (u32)__builtin_amdgcn_ds_swizzle((int)value, (kMask << 10) | 0x1F);
    return (u32)__builtin_amdgcn_ds_bpermute((lane_index() ^ kMask) << 2, (int)value);
}

// True for all lanes when it is for any; a branch on it is the wave's.
DEVICE bool lanes_any(bool value) {
    if constexpr (kWave == 64) return __builtin_amdgcn_ballot_w64(value) != 0;
    else return __builtin_amdgcn_ballot_w32(value) != 0;
}

// Computes value before any load that follows: keeps loads from being moved up where that would cost more registers than a lane of RDNA has. Of CDNA's
// 512 there are enough.
template <class Any> DEVICE void finish_before_loads(Any& value) {
    if constexpr (kWave == 32) asm volatile("" : "+v"(value) : : "memory");
}

// Computes value before anything that takes next: products that could all go first would keep all their results.
template <class Any> DEVICE void finish_first(Any& value, u32& next) {
    if constexpr (kWave == 32) asm volatile("" : "+v"(value), "+v"(next));
}

// Computes a matrix product's sums here: the compiler would move products past a branch that follows, and keep the operands of all. CDNA has its own
// registers for sums.
template <class Any> DEVICE void finish_product(Any& sums) {
    if constexpr (kWave == 64) asm volatile("" : "+a"(sums));
    else asm volatile("" : "+v"(sums));
}

// A value of which the compiler does not know that it stays the same: what is loaded by it in a loop is not kept in registers around the loop.
DEVICE int hidden(int value) {
    asm volatile("" : "+v"(value));
    return value;
}

#endif

template <int kMask> DEVICE float lane_xor(float value) { return as_f32(lane_xor<kMask>(as_u32(value))); }

// Over the lanes that have the same index modulo kFrom; every lane gets the result.
template <int kFrom = 1> DEVICE float lanes_max(float value) {
    if constexpr (kFrom <= 1) value = __builtin_fmaxf(value, lane_xor<1>(value));
    if constexpr (kFrom <= 2) value = __builtin_fmaxf(value, lane_xor<2>(value));
    if constexpr (kFrom <= 4) value = __builtin_fmaxf(value, lane_xor<4>(value));
    if constexpr (kFrom <= 8) value = __builtin_fmaxf(value, lane_xor<8>(value));
    if constexpr (kFrom <= 16) value = __builtin_fmaxf(value, lane_xor<16>(value));
    if constexpr (kWave == 64) value = __builtin_fmaxf(value, lane_xor<32>(value));
    return value;
}

template <int kFrom = 1> DEVICE float lanes_sum(float value) {
    if constexpr (kFrom <= 1) value += lane_xor<1>(value);
    if constexpr (kFrom <= 2) value += lane_xor<2>(value);
    if constexpr (kFrom <= 4) value += lane_xor<4>(value);
    if constexpr (kFrom <= 8) value += lane_xor<8>(value);
    if constexpr (kFrom <= 16) value += lane_xor<16>(value);
    if constexpr (kWave == 64) value += lane_xor<32>(value);
    return value;
}

// Over all threads of the group, in a fixed order. scratch: one float a wave, in LDS. Contains barriers.
template <int kThreads> DEVICE float group_sum(float value, float* scratch) {
    value = lanes_sum(value);
    constexpr int kWaves = kThreads / kWave;
    if constexpr (kWaves == 1) return value;
    group_barrier();
    if (lane_index() == 0) scratch[wave_index()] = value;
    group_barrier();
    float sum = scratch[0];
    for (int w = 1; w < kWaves; w++) sum += scratch[w];
    return sum;
}

template <int kThreads> DEVICE float group_max(float value, float* scratch) {
    value = lanes_max(value);
    constexpr int kWaves = kThreads / kWave;
    if constexpr (kWaves == 1) return value;
    group_barrier();
    if (lane_index() == 0) scratch[wave_index()] = value;
    group_barrier();
    float max = scratch[0];
    for (int w = 1; w < kWaves; w++) max = __builtin_fmaxf(max, scratch[w]);
    return max;
}
