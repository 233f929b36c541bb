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

// Eight consecutive elements of a cache, widened to the 16-bit activation type.
template <class T> struct Kv16 {
    static constexpr int kBytes = 2;
    int unused;
    DEVICE Kv16 make(int) { return {0}; }
    __device__ inline u32x4 load8(const u8* address) const { return load16(address); }
    __device__ inline u32x2 load4(const u8* address) const { return *(const u32x2*)address; }
};

template <class T> struct Kv8 {
    static constexpr int kBytes = 1;
    int type;
    DEVICE Kv8 make(int type) { return {type}; }
    __device__ inline u32 widen2(u32 word, int at) const {
        return pack2(T::round(widen_fp8((u8)(word >> (8 * at)), type)), T::round(widen_fp8((u8)(word >> (8 * at + 8)), type)));
    }
    __device__ inline u32x4 load8(const u8* address) const {
        u32x2 words = *(const u32x2*)address;
        return {widen2(words[0], 0), widen2(words[0], 2), widen2(words[1], 0), widen2(words[1], 2)};
    }
    __device__ inline u32x2 load4(const u8* address) const {
        u32 word = *(const u32*)address;
        return {widen2(word, 0), widen2(word, 2)};
    }
};

// A row's blocks.
struct BlockTable {
    const int* blocks;
    int block_size;
    // Block and offset of a position.
    __device__ inline i64 block(int position) const { return blocks[(u32)position / (u32)block_size]; }
    __device__ inline int offset(int position) const { return (u32)position % (u32)block_size; }
};

// Paged cache. kByDims: V has tokens next to each other (VectorizedX, Shuffled); blocks are then multiples of 16.
template <class T, class Kv, bool kByDims> struct PagedReader {
    static constexpr bool kValuesByDims = kByDims;
    KvTensor key;
    KvTensor value;
    BlockTable table;
    int head;
    Kv kv;

    // 8 elements of K from dim c on; c is a multiple of 8.
    __device__ inline u32x4 key8(int position, int c) const {
        i64 element = table.block(position) * key.block_stride + head * key.head_stride + table.offset(position) * key.token_stride
            + (c / key.chunk) * key.chunk_stride + c % key.chunk;
        return kv.load8(key.base + element * Kv::kBytes);
    }

    // 8 (4) elements of V from dim c on, of one token.
    __device__ inline const u8* value_address(int position, int c) const {
        return value.base + (table.block(position) * value.block_stride + head * value.head_stride + table.offset(position) * value.token_stride + c) * Kv::kBytes;
    }
    __device__ inline u32x4 value8(int position, int c) const { return kv.load8(value_address(position, c)); }
    __device__ inline u32x2 value4(int position, int c) const { return kv.load4(value_address(position, c)); }

    // 4 (8) tokens of one dim from a position on that is a multiple of 4 (8).
    __device__ inline const u8* tokens_address(int position, int c) const {
        int t = table.offset(position);
        return value.base + (table.block(position) * value.block_stride + head * value.head_stride + c * value.dim_stride
            + (t / value.chunk) * value.chunk_stride + t % value.chunk) * Kv::kBytes;
    }
    __device__ inline u32x2 tokens4(int position, int c) const { return kv.load4(tokens_address(position, c)); }
    __device__ inline u32x4 tokens8(int position, int c) const { return kv.load8(tokens_address(position, c)); }
};

// Contiguous K and V of one row [S, heads, dim] in the activation type; K's last dims may lie apart (MLA's k_pe, shared by the heads).
template <class T> struct DenseReader {
    static constexpr bool kValuesByDims = false;
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
    __device__ inline u32x2 tokens4(int, int) const { return {}; }
    __device__ inline u32x4 tokens8(int, int) const { return {}; }
};
