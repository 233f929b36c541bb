// Votes of a wave's lanes, prefix sums over lanes and over the threads of a group, and atomics of a group.
#pragma once
#include "wave.h"

// One thread's turn on a word of LDS; the value before.
#if defined(__NVPTX__)
template <class W> DEVICE W lds_add(W* word, W value) { return __atomic_fetch_add(word, value, __ATOMIC_RELAXED); }
template <class W> DEVICE W lds_exchange(W* word, W value) { return __atomic_exchange_n(word, value, __ATOMIC_RELAXED); }
#else
template <class W> DEVICE W lds_add(W* word, W value) { return __hip_atomic_fetch_add(word, value, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_WORKGROUP); }
template <class W> DEVICE W lds_exchange(W* word, W value) { return __hip_atomic_exchange(word, value, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_WORKGROUP); }
#endif

#if defined(__NVPTX__)
DEVICE u64 lanes_ballot(bool value) { return (u64)(u32)__nvvm_vote_ballot_sync(~0u, value); }
DEVICE u32 lane_from(u32 value, int lane) { return lane_read(value, lane); }
#else
#if defined(__GFX9__)
DEVICE u64 lanes_ballot(bool value) { return __builtin_amdgcn_ballot_w64(value); }
#else
DEVICE u64 lanes_ballot(bool value) { return (u64)__builtin_amdgcn_ballot_w32(value); }
#endif
DEVICE u32 lane_from(u32 value, int lane) { return (u32)__builtin_amdgcn_ds_bpermute(lane << 2, (int)value); }
#endif

DEVICE u64 lane_from(u64 value, int lane) { return (u64)lane_from((u32)value, lane) | ((u64)lane_from((u32)(value >> 32), lane) << 32); }

// Sum of this lane's value and those of all lanes before it.
DEVICE u64 lanes_prefix(u64 value) {
    int lane = lane_index();
    for (int distance = 1; distance < kWave; distance *= 2) {
        u64 before = lane_from(value, lane >= distance ? lane - distance : lane);
        if (lane >= distance) value += before;
    }
    return value;
}

DEVICE u64 lanes_total(u64 value) { return lane_from(lanes_prefix(value), kWave - 1); }

// Sum of the values of all threads before this one, and of all. scratch: one word a wave, in LDS. Contains barriers.
template <int kThreads> DEVICE u64 group_prefix(u64 value, u64* scratch, u64& total) {
    constexpr int kWaves = kThreads / kWave;
    u64 inclusive = lanes_prefix(value), before = 0;
    group_barrier();
    if (lane_index() == kWave - 1) scratch[wave_index()] = inclusive;
    group_barrier();
    total = 0;
    for (int w = 0; w < kWaves; w++) {
        if (w < wave_index()) before += scratch[w];
        total += scratch[w];
    }
    return before + inclusive - value;
}

// How the lanes that hold the same value stand to each other: count of them, and how many of them come before this lane.
struct Equals {
    int count, before;

    // Only lanes that take part count; values are below 2^bits.
    DEVICE Equals of(u32 value, int bits, bool takes_part) {
        u64 same = lanes_ballot(takes_part);
        for (int bit = 0; bit < bits; bit++) {
            bool is_set = (value >> bit) & 1;
            u64 set = lanes_ballot(is_set);
            same &= is_set ? set : ~set;
        }
        return {__builtin_popcountll(same), __builtin_popcountll(same & ((1ull << lane_index()) - 1))};
    }
};
