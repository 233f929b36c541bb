// unified_attention (rows of many tokens: each wave its own query tile) and paged_decode (few tokens: the waves of a group share one tile).
// Names: <op>_<activation>_<cache: 16 or 8 bits>_<V by tokens: nhd, by dims: vx>_<dims of K>_<dims of V>.
#include "paged_attention.h"

#define PAGED(op, T, name, Kv, cache, by_dims, layout, dim, v_dim, shared)                                                   \
    KERNEL(kAttentionThreads) op##_##name##_##cache##_##layout##_##dim##_##v_dim(PagedAttentionArgs args) {                  \
        __shared__ float merge[shared ? 16 * (v_dim + 2) : 1];                                                               \
        __shared__ __attribute__((aligned(16))) u16 queries[(shared ? 1 : kAttentionWaves) * WaveQuery<dim>::kLdsElements + 8]; \
        paged_attention<T, Kv<T>, by_dims, dim, v_dim, shared>(args, merge, queries);                                        \
    }

#ifndef PAGED_DIMS
#define PAGED_DIMS(op, T, name, Kv, cache, by_dims, layout, shared)      \
    PAGED(op, T, name, Kv, cache, by_dims, layout, 64, 64, shared)       \
    PAGED(op, T, name, Kv, cache, by_dims, layout, 128, 128, shared)     \
    PAGED(op, T, name, Kv, cache, by_dims, layout, 256, 256, shared)
#endif

#define PAGED_TYPES(T, name)                                                \
    PAGED_DIMS(unified_attention, T, name, Kv16, c16, false, nhd, false)    \
    PAGED_DIMS(paged_decode, T, name, Kv16, c16, false, nhd, true)          \
    PAGED_DIMS(unified_attention, T, name, Kv16, c16, true, vx, false)      \
    PAGED_DIMS(paged_decode, T, name, Kv16, c16, true, vx, true)            \
    PAGED_DIMS(unified_attention, T, name, Kv8, c8, false, nhd, false)      \
    PAGED_DIMS(paged_decode, T, name, Kv8, c8, false, nhd, true)            \
    PAGED_DIMS(unified_attention, T, name, Kv8, c8, true, vx, false)        \
    PAGED_DIMS(paged_decode, T, name, Kv8, c8, true, vx, true)              \
    KERNEL(kAttentionThreads) reduce_segments_##name(PagedAttentionArgs args) { reduce_segments<T>(args); }

PAGED_TYPES(BF16, bf16)
PAGED_TYPES(F16, f16)
