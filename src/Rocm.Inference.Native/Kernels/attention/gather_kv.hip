// Copies stretches of cached context, dequantized, into contiguous rows: IAttentionKernels.GatherKv. A row is found by bisecting the offsets, so that
// the host builds no table by tokens.
//
// Work: a group takes 16 tokens of a KV head, a thread 8 dims of a token at a time; where V has tokens next to each other, so have threads.
// Bytes: each cached row once, each copied row once.
#include "kv_reader.h"

struct GatherKvArgs {
    KvTensor key_cache;
    KvTensor value_cache;      // base null: none
    const int* block_table;
    i64 block_table_stride;
    const int* cu_seqlens_k;   // [R + 1]
    const int* key_positions;  // [R]
    u16* key;                  // [S, Hkv, D]
    u16* value;                // [S, Hkv, Dv]
    i64 key_token_stride, key_head_stride, value_token_stride, value_head_stride;
    int num_rows, dim, value_dim, block_size, values_by_dims, unused;
};

constexpr int kGatherTokens = 16;
constexpr int kGatherThreads = 256;
constexpr int kGatherLanes = kGatherThreads / kGatherTokens;

// A token's place in the cache, and among the copied ones.
struct GatherToken {
    i64 block;
    int offset, index;
    bool is_there;

    DEVICE GatherToken find(const GatherKvArgs& args, int index) {
        if (index >= args.cu_seqlens_k[args.num_rows] || index < args.cu_seqlens_k[0]) return {0, 0, 0, false};
        int low = 0, high = args.num_rows - 1;
        while (low < high) {
            int middle = (low + high + 1) / 2;
            if (args.cu_seqlens_k[middle] <= index) low = middle;
            else high = middle - 1;
        }
        int position = args.key_positions[low] + index - args.cu_seqlens_k[low];
        return {args.block_table[low * args.block_table_stride + position / args.block_size], position % args.block_size, index, true};
    }
};

template <class A, class Kv> DEVICE u16 load_element(const KvTensor& cache, float scale, i64 element) {
    return Kv::kBytes == 2 ? ((const u16*)cache.base)[element] : A::round(Kv::widen_one(cache.base[element]) * scale);
}

// Eight elements that lie side by side.
template <class A, class Kv> DEVICE u32x4 load_elements(const KvTensor& cache, float scale, i64 element) {
    u32x4 words = Kv::load8(cache.base + element * Kv::kBytes);
    if constexpr (Kv::kBytes == 2) return words;
    for (int i = 0; i < 4; i++) words[i] = pack2(A::round(A::widen((u16)words[i]) * scale), A::round(A::widen((u16)(words[i] >> 16)) * scale));
    return words;
}

template <class A, class Kv, int kElements>
DEVICE void copy_rows(const KvTensor& cache, const GatherToken& token, int head, int lane, u16* output, int dim, bool by_dims) {
    if (!token.is_there) return;
    float scale = kv_scale(cache, head);
    i64 row = token.block * cache.block_stride + head * cache.head_stride;
    if (by_dims) row += (i64)(token.offset / cache.chunk) * cache.chunk_stride + token.offset % cache.chunk;
    else row += token.offset * cache.token_stride;
    for (int c = lane * kElements; c < dim; c += kGatherLanes * kElements) {
        if constexpr (kElements == 1) {
            i64 element = by_dims ? row + c * cache.dim_stride : row + c / cache.chunk * cache.chunk_stride + c % cache.chunk;
            output[c] = load_element<A, Kv>(cache, scale, element);
        } else if (by_dims) {
            u16 x[8];
            for (int i = 0; i < 8; i++) x[i] = load_element<A, Kv>(cache, scale, row + (c + i) * cache.dim_stride);
            store16(output + c, u32x4{pack2(x[0], x[1]), pack2(x[2], x[3]), pack2(x[4], x[5]), pack2(x[6], x[7])});
        } else {
            store16(output + c, load_elements<A, Kv>(cache, scale, row + c / cache.chunk * cache.chunk_stride + c % cache.chunk));
        }
    }
}

template <class A, class Kv, int kElements> DEVICE void gather_rows(const GatherKvArgs& args) {
    int first = group_x() * kGatherTokens, head = group_y();
    int outer = thread_index() / kGatherLanes, inner = thread_index() % kGatherLanes;
    GatherToken token = GatherToken::find(args, first + outer);
    u16* key = args.key + token.index * args.key_token_stride + head * args.key_head_stride;
    copy_rows<A, Kv, kElements>(args.key_cache, token, head, inner, key, args.dim, false);
    if (args.value_cache.base == nullptr) return;
    bool by_dims = args.values_by_dims != 0;
    if (by_dims) token = GatherToken::find(args, first + inner);
    u16* value = args.value + token.index * args.value_token_stride + head * args.value_head_stride;
    copy_rows<A, Kv, kElements>(args.value_cache, token, head, by_dims ? outer : inner, value, args.value_dim, by_dims);
}

// T: the activation type. CACHE: Kv16 or an Fp8 type. V: 8 where rows and vectors of 8 dims are aligned, else 1.
KERNEL(kGatherThreads) gather_kv(GatherKvArgs args) { gather_rows<T, KvOf<T, CACHE>, V>(args); }
