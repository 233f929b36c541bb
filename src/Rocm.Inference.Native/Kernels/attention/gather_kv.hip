// Copies ranges of cached context, dequantized, into contiguous rows: IAttentionKernels.GatherKv. A row is found by bisecting the offsets, so that
// the host builds no table by tokens.
//
// Work: a group takes a (token, KV head). Bytes: each cached row once, each copied row once.
#include "kv_reader.h"

struct GatherKvArgs {
    KvTensor key_cache;
    KvTensor value_cache;    // base null: none
    const int* block_table;
    i64 block_table_stride;
    const int* cu_seqlens_k;   // [R + 1]
    const int* key_positions;  // [R]
    u16* key;                  // [S, Hkv, D]
    u16* value;                // [S, Hkv, Dv]
    i64 key_token_stride, key_head_stride, value_token_stride, value_head_stride;
    int num_rows, dim, value_dim, block_size, cache_type, values_by_dims;
};

constexpr int kGatherThreads = 64;

template <class T> DEVICE u16 load_element(const KvTensor& cache, int cache_type, float scale, i64 element) {
    if (cache_type < 0) return ((const u16*)cache.base)[element];
    return T::round(widen_fp8(((const u8*)cache.base)[element], cache_type) * scale);
}

template <class T> DEVICE void gather_kv(const GatherKvArgs& args) {
    int token = group_x(), head = group_y();
    if (token >= args.cu_seqlens_k[args.num_rows]) return;
    int low = 0, high = args.num_rows - 1;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (args.cu_seqlens_k[middle] <= token) low = middle;
        else high = middle - 1;
    }
    int position = args.key_positions[low] + token - args.cu_seqlens_k[low];
    i64 block = args.block_table[low * args.block_table_stride + position / args.block_size];
    int offset = position % args.block_size;
    const KvTensor& k = args.key_cache;
    i64 k_row = block * k.block_stride + head * k.head_stride + offset * k.token_stride;
    u16* key = args.key + token * args.key_token_stride + head * args.key_head_stride;
    for (int c = thread_index(); c < args.dim; c += kGatherThreads)
        key[c] = load_element<T>(k, args.cache_type, kv_scale(k, head), k_row + c / k.chunk * k.chunk_stride + c % k.chunk);
    const KvTensor& v = args.value_cache;
    if (v.base == nullptr) return;
    i64 v_row = block * v.block_stride + head * v.head_stride;
    u16* value = args.value + token * args.value_token_stride + head * args.value_head_stride;
    for (int c = thread_index(); c < args.value_dim; c += kGatherThreads) {
        i64 element = args.values_by_dims ? v_row + c * v.dim_stride + offset / v.chunk * v.chunk_stride + offset % v.chunk : v_row + offset * v.token_stride + c;
        value[c] = load_element<T>(v, args.cache_type, kv_scale(v, head), element);
    }
}

KERNEL(kGatherThreads) gather_kv_bf16(GatherKvArgs args) { gather_kv<BF16>(args); }
KERNEL(kGatherThreads) gather_kv_f16(GatherKvArgs args) { gather_kv<F16>(args); }
