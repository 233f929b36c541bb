// Rotates q and k in place and scatters K and V to their slots, in one pass: IAttentionKernels.RopeStoreKv.
//
// Work: a thread takes V pairs, or V elements that are not rotated, of one head of one token; group (x, y) = token, 256 such units: first those of the
// query heads, then K's, then V's. Bytes: q, k and v once, the stored rows once. Slot −1 skips the write (padding).
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
    i64 num_slots;
    int num_query_heads, num_kv_heads, dim, value_dim, rotary_dim, is_interleaved;
    int block_size, values_by_dims, rounds_inputs, num_positions;
};

constexpr int kRopeThreads = 256;

// N elements side by side.
template <class A, int N> struct Elements {
    float x[N];

    __device__ inline void load(const u16* source) {
        if constexpr (N == 8) {
            u32x4 words = load16(source);
            for (int i = 0; i < 4; i++) x[2 * i] = A::widen((u16)words[i]), x[2 * i + 1] = A::widen((u16)(words[i] >> 16));
        } else {
            x[0] = A::widen(*source);
        }
    }
    __device__ inline void store(u16* target) const {
        if constexpr (N == 8) store16(target, u32x4{pack(0), pack(2), pack(4), pack(6)});
        else *target = A::round(x[0]);
    }
    __device__ inline u32 pack(int i) const { return pack2(A::round(x[i]), A::round(x[i + 1])); }
    __device__ inline void round() { for (int i = 0; i < N; i++) x[i] = A::widen(A::round(x[i])); }
};

// Stores N elements that are values of the activation type, next to each other or stride elements apart; x becomes what the cache holds of them.
template <class A, class Kv, int N> DEVICE void store_elements(const KvTensor& cache, float scale, i64 element, i64 stride, Elements<A, N>& x) {
    if constexpr (Kv::kBytes == 2) {
        u16* target = (u16*)cache.base + element;
        if (N == 1 || stride == 1) x.store(target);
        else for (int i = 0; i < N; i++) target[i * stride] = A::round(x.x[i]);
    } else {
        u8* target = (u8*)cache.base + element;
        u8 codes[N];
        for (int i = 0; i < N; i++) {
            codes[i] = round_fp8(x.x[i] / scale, Kv::kType);
            x.x[i] = Kv::widen_one(codes[i]) * scale;
        }
        if constexpr (N == 8) {
            if (stride == 1) {
                u32x2 words = {0, 0};
                for (int i = 0; i < 8; i++) words[i / 4] |= (u32)codes[i] << (8 * (i % 4));
                *(u32x2*)target = words;
                return;
            }
        }
        for (int i = 0; i < N; i++) target[i * stride] = codes[i];
    }
}

DEVICE void rotate(float& a, float& b, float cos, float sin) {
    float x = a, y = b;
    a = x * cos - y * sin;
    b = y * cos + x * sin;
}

// Where a token's elements go.
struct Slot {
    i64 block;
    int offset;
    bool is_there;
};

// x: K's dims [c, c + N).
template <class A, class Kv, int N>
DEVICE void store_key(const RopeStoreKvArgs& args, const Slot& slot, int head, int c, Elements<A, N>& x, u16* source) {
    if (!slot.is_there) return;
    const KvTensor& k = args.key_cache;
    int at = args.value_cache.base == nullptr ? c + args.value_dim : c;
    i64 element = slot.block * k.block_stride + head * k.head_stride + slot.offset * k.token_stride + at / k.chunk * k.chunk_stride + at % k.chunk;
    store_elements<A, Kv, N>(k, kv_scale(k, head), element, 1, x);
    if (args.rounds_inputs && Kv::kBytes == 1) x.store(source);
}

template <class A, class Kv, int N> DEVICE void store_value(const RopeStoreKvArgs& args, const Slot& slot, int head, int c, u16* source) {
    if (!slot.is_there) return;
    const KvTensor& v = args.value_cache.base == nullptr ? args.key_cache : args.value_cache;
    Elements<A, N> x;
    x.load(source);
    i64 element = slot.block * v.block_stride + head * v.head_stride;
    if (args.values_by_dims) element += c * v.dim_stride + slot.offset / v.chunk * v.chunk_stride + slot.offset % v.chunk;
    else element += slot.offset * v.token_stride + c;
    store_elements<A, Kv, N>(v, kv_scale(v, head), element, args.values_by_dims ? v.dim_stride : 1, x);
    if (args.rounds_inputs && Kv::kBytes == 1) x.store(source);
}

template <class A, class Kv, int N> DEVICE void rope_store_unit(const RopeStoreKvArgs& args) {
    int token = group_x(), unit = group_y() * kRopeThreads + thread_index();
    i64 number = args.slots[token];
    Slot slot = {number / args.block_size, (int)(number % args.block_size), number >= 0 && number < args.num_slots};
    int half = args.rotary_dim / 2, pairs = half / N, units = args.dim / N - pairs;
    int value_units = args.value_dim / N, rotated = (args.num_query_heads + args.num_kv_heads) * units;
    if (unit >= rotated) {
        unit -= rotated;
        if (unit >= args.num_kv_heads * value_units) return;
        int head = unit / value_units, c = unit % value_units * N;
        store_value<A, Kv, N>(args, slot, head, c, args.value + token * args.value_token_stride + head * args.value_head_stride + c);
        return;
    }

    int head = unit / units, part = unit % units;
    bool is_key = head >= args.num_query_heads;
    if (is_key) head -= args.num_query_heads;
    u16* row = is_key ? args.key + token * args.key_token_stride + head * args.key_head_stride
                      : args.query + token * args.query_token_stride + head * args.query_head_stride;
    Elements<A, N> x, y;
    if (part >= pairs) {
        int c = args.rotary_dim + (part - pairs) * N;
        if (!is_key) return;
        x.load(row + c);
        store_key<A, Kv, N>(args, slot, head, c, x, row + c);
        return;
    }

    int i = part * N, first = args.is_interleaved ? 2 * i : i, second = args.is_interleaved ? 2 * i + N : i + half;
    x.load(row + first);
    y.load(row + second);
    int position = args.positions[token];
    if (position >= 0 && position < args.num_positions) {
        const float* cos = args.cos_sin + (i64)position * args.rotary_dim + i;
        const float* sin = cos + half;
        if (!args.is_interleaved) {
            _Pragma("unroll") for (int j = 0; j < N; j++) rotate(x.x[j], y.x[j], cos[j], sin[j]);
        } else if constexpr (N == 1) {
            rotate(x.x[0], y.x[0], cos[0], sin[0]);
        } else {
            _Pragma("unroll") for (int j = 0; j < N / 2; j++) {
                rotate(x.x[2 * j], x.x[2 * j + 1], cos[j], sin[j]);
                rotate(y.x[2 * j], y.x[2 * j + 1], cos[N / 2 + j], sin[N / 2 + j]);
            }
        }
        x.round();
        y.round();
        x.store(row + first);
        y.store(row + second);
    }
    if (!is_key) return;
    store_key<A, Kv, N>(args, slot, head, first, x, row + first);
    store_key<A, Kv, N>(args, slot, head, second, y, row + second);
}

// T: the activation type. CACHE: Kv16 or an Fp8 type. V: 8 where heads, halves, rows and vectors of 8 dims are aligned, else 1.
KERNEL(kRopeThreads) rope_store_kv(RopeStoreKvArgs args) { rope_store_unit<T, KvOf<T, CACHE>, V>(args); }
