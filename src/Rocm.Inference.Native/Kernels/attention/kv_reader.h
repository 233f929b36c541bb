// Where the keys and values of a row are: a paged cache in any layout, or contiguous rows. Positions are absolute.
#pragma once
#include "../common/matrix.h"

// One of K and V of a paged cache. Element (block, head, token t, dim c): K: base + block·block_stride + head·head_stride + t·token_stride
// + (c / chunk)·chunk_stride + c % chunk, which is Nhd (chunk = head dim) as well as VectorizedX and Shuffled (chunk = 16 bytes).
// V by tokens: the same. V by dims: + c·dim_stride + (t / chunk)·chunk_stride + t % chunk, which is VectorizedX (chunk = block size) and Shuffled.
// Strides in elements. Host: KvTensorArgs.cs.
struct KvTensor {
    const u8* base;
    i64 block_stride;
    i64 head_stride;
    i64 token_stride;   // by tokens
    i64 dim_stride;     // by dims
    i64 chunk_stride;
    const float* scales;  // null = 1
    int scale_per_head;   // 1: one for each KV head, 0: one for all
    int chunk;
};

DEVICE float kv_scale(const KvTensor& tensor, int head) { return tensor.scales == nullptr ? 1.0f : tensor.scales[tensor.scale_per_head ? head : 0]; }

// Elements of a cache, widened to the 16-bit activation type A.
template <class A> struct Kv16 {
    typedef u32x4 Raw8;  // 8 and 4 elements as they are stored
    typedef u32x2 Raw4;
    static constexpr int kBytes = 2;
    static constexpr int kType = -1;
    DEVICE float widen_one(u8) { return 0; }
    DEVICE u32x4 widen(u32x4 words) { return words; }
    DEVICE u32x2 widen(u32x2 words) { return words; }
    DEVICE u32x4 load8(const u8* address) { return load_global<u32x4>(address); }
};

// 8-bit floats of an Fp8 type. All their values are values of A.
template <class A, int kFp8> struct Kv8 {
    typedef u32x2 Raw8;
    typedef u32 Raw4;
    static constexpr int kBytes = 1;
    static constexpr int kType = kFp8;
    DEVICE float widen_one(u8 x) { return widen_fp8(x, kFp8); }

    // Byte i of a word. E4M3: exponent and mantissa go where they are in an f32, whose bias a product makes up for, subnormals included.
    DEVICE float widen_finite(u32 word, int i) {
        if constexpr (kFp8 == kFp8E5M2) return F16::widen((u16)(i % 2 == 0 ? word >> (8 * i) << 8 : word >> (8 * i - 8) & 0xFF00u));
        else return as_f32((u32)((i32)(word << (24 - 8 * i)) >> 4) & 0x87F00000u) * (kFp8 == kFp8E4M3Fn ? 0x1p120f : 0x1p119f);
    }
    DEVICE u32 pack(float low, float high) {
        if constexpr (__is_same(A, BF16)) return (as_u32(low) >> 16) | (as_u32(high) & 0xFFFF0000u);
        else return pack2(A::round(low), A::round(high));
    }
    // 0x80 in the bytes that are NaN; E5M2's are NaN as they are.
    DEVICE u32 find_nan(u32 word) {
        if constexpr (kFp8 == kFp8E4M3Fn) return ((word & 0x7F7F7F7Fu) + 0x01010101u) & 0x80808080u;
        else if constexpr (kFp8 == kFp8E4M3Fnuz) return ~(((word & 0x7F7F7F7Fu) + 0x7F7F7F7Fu) | ~word) & 0x80808080u;
        else return 0;
    }
    DEVICE u32x2 widen(u32 word) {
        u32x2 result = {pack(widen_finite(word, 0), widen_finite(word, 1)), pack(widen_finite(word, 2), widen_finite(word, 3))};
        if constexpr (kFp8 != kFp8E5M2) {
            u32 nan = find_nan(word);
            nan = (nan << 1) - (nan >> 7);
            // All bits of a NaN byte are set now; each byte takes both halves of its element.
            u32 low = nan & 0xFF00FFu, high = nan & 0xFF00FF00u;
            low |= low << 8;    // bytes 0 and 2 as halves
            high |= high >> 8;  // bytes 1 and 3
            result[0] |= (low & 0xFFFFu) | (high << 16);
            result[1] |= (low >> 16) | (high & 0xFFFF0000u);
        }
        return result;
    }
    DEVICE u32x4 widen(u32x2 words) {
        u32x2 low = widen(words[0]), high = widen(words[1]);
        return {low[0], low[1], high[0], high[1]};
    }
    DEVICE u32x4 load8(const u8* address) { return widen(load_global<u32x2>(address)); }
};

// kType: −1 for a cache of the activation type, else an Fp8 type.
template <class A, int kType> struct KvTypeOf { typedef Kv8<A, kType> type; };
template <class A> struct KvTypeOf<A, -1> { typedef Kv16<A> type; };
template <class A, int kType> using KvOf = typename KvTypeOf<A, kType>::type;

// Contiguous K and V of one row [S, heads, dim] in the activation type; K's last dims may lie apart (MLA's k_pe, shared by the heads).
template <class A> struct DenseReader {
    const u16* key;        // first key of the row, own head
    const u16* key_rope;   // null = none
    const u16* value;
    i64 key_stride, rope_stride, value_stride;  // from token to token
    int key_dim;           // dims that come from key; the rest from key_rope
    int first_position;    // of the row's first key

    __device__ inline u32x4 key8(int position, int c) const {
        i64 t = position - first_position;
        return load16(c < key_dim ? key + t * key_stride + c : key_rope + t * rope_stride + (c - key_dim));
    }
    __device__ inline u32x4 value8(int position, int c) const { return load16(value + (i64)(position - first_position) * value_stride + c); }
    __device__ inline u32x2 value4(int position, int c) const { return *(const u32x2*)(value + (i64)(position - first_position) * value_stride + c); }
};
