// Rotates q and k in place and scatters K and V to their slots, in one pass: IAttentionKernels.RopeStoreKv.
//
// Work: a group takes a (token, head): heads 0 … Hq − 1 are queries, then come KV heads, whose group stores K and V. Bytes: q, k and v once, the
// stored rows once. Slot −1 skips the write (padding).
#include "kv_reader.h"

struct RopeStoreKvArgs {
    u16* query;             // [T, Hq, D]
    u16* key;               // [T, Hkv, D]
    u16* value;             // [T, Hkv, Dv]
    const float* cos_sin;   // [positions, rotary dim]: cosines, then sines; null = no rotation
    const int* positions;   // [T]
    const i64* slots;       // [T]
    KvTensor key_cache;
    KvTensor value_cache;   // base null: MlaLatent, V goes in front of K in the key cache
    i64 query_token_stride, query_head_stride, key_token_stride, key_head_stride, value_token_stride, value_head_stride;
    int num_query_heads, dim, value_dim, rotary_dim, is_interleaved;
    int block_size;
    int cache_type;         // −1: 16 bits of the activation type; else Fp8
    int values_by_dims;
    int rounds_inputs;
    int num_positions;
};

constexpr int kRopeThreads = 64;

template <class T> DEVICE void rotate(u16* x, const float* cos, int rotary_dim, int is_interleaved) {
    int half = rotary_dim / 2;
    for (int i = thread_index(); i < half; i += kRopeThreads) {
        int first = is_interleaved ? 2 * i : i, second = is_interleaved ? 2 * i + 1 : i + half;
        float a = T::widen(x[first]), b = T::widen(x[second]), c = cos[i], s = cos[half + i];
        x[first] = T::round(a * c - b * s);
        x[second] = T::round(b * c + a * s);
    }
}

template <class T> DEVICE void store_element(const KvTensor& cache, int cache_type, float inverse_scale, float scale, i64 element, u16* source, int rounds_input) {
    if (cache_type < 0) {
        ((u16*)cache.base)[element] = *source;
        return;
    }
    u8 code = round_fp8(T::widen(*source) * inverse_scale, cache_type);
    ((u8*)cache.base)[element] = code;
    if (rounds_input) *source = T::round(widen_fp8(code, cache_type) * scale);
}

template <class T> DEVICE void rope_store_kv(const RopeStoreKvArgs& args) {
    int token = group_x(), head = group_y();
    int position = args.positions[token];
    const float* cos = args.cos_sin == nullptr || position < 0 || position >= args.num_positions ? nullptr : args.cos_sin + (i64)position * args.rotary_dim;
    if (head < args.num_query_heads) {
        if (cos != nullptr) rotate<T>(args.query + token * args.query_token_stride + head * args.query_head_stride, cos, args.rotary_dim, args.is_interleaved);
        return;
    }

    head -= args.num_query_heads;
    u16* key = args.key + token * args.key_token_stride + head * args.key_head_stride;
    u16* value = args.value + token * args.value_token_stride + head * args.value_head_stride;
    if (cos != nullptr) rotate<T>(key, cos, args.rotary_dim, args.is_interleaved);
    i64 slot = args.slots[token];
    if (slot < 0) return;
    // A thread stores elements that another has rotated.
    group_barrier();
    i64 block = slot / args.block_size;
    int offset = (int)(slot % args.block_size);
    bool is_latent = args.value_cache.base == nullptr;
    const KvTensor& k = args.key_cache;
    const KvTensor& v = is_latent ? args.key_cache : args.value_cache;
    float k_scale = kv_scale(k, head), v_scale = kv_scale(v, head);
    i64 k_row = block * k.block_stride + head * k.head_stride + offset * k.token_stride + (is_latent ? args.value_dim : 0);
    for (int c = thread_index(); c < args.dim; c += kRopeThreads)
        store_element<T>(k, args.cache_type, 1.0f / k_scale, k_scale, k_row + c / k.chunk * k.chunk_stride + c % k.chunk, key + c, args.rounds_inputs);
    i64 v_row = block * v.block_stride + head * v.head_stride;
    for (int c = thread_index(); c < args.value_dim; c += kRopeThreads) {
        i64 element = args.values_by_dims ? v_row + c * v.dim_stride + offset / v.chunk * v.chunk_stride + offset % v.chunk : v_row + offset * v.token_stride + c;
        store_element<T>(v, args.cache_type, 1.0f / v_scale, v_scale, element, value + c, args.rounds_inputs);
    }
}

KERNEL(kRopeThreads) rope_store_kv_bf16(RopeStoreKvArgs args) { rope_store_kv<BF16>(args); }
KERNEL(kRopeThreads) rope_store_kv_f16(RopeStoreKvArgs args) { rope_store_kv<F16>(args); }
