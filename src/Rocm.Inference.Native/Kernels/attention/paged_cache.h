// A row's keys and values in a paged cache, in steps of keys.
#pragma once
#include "kv_reader.h"

enum KvLayout : int { kNhd = 0, kVectorizedX = 1, kShuffled = 2 };

// Tiles of 16 keys of a step. On CDNA two, so that a lane's operands for both are 8 keys that follow one another.
constexpr int kStepTiles = kFragK == 4 ? 2 : 1;
constexpr int kStepKeys = 16 * kStepTiles;

// The key of a step that row r of its score tile s is. Chosen so that a lane's probabilities (matrix.h: acc_row, from_acc) are keys that follow one
// another: V with tokens side by side is then loaded 8 tokens at a time.
DEVICE int step_key(int tile, int row) {
    if constexpr (kFragK == 4) return row / 4 * 8 + tile * 4 + row % 4;
    if constexpr (kFragK == 16) return row % 2 * 8 + row / 2;
    return row;
}

// step_key(tile, acc_row(i)): the lane's part, and what is the same for all lanes.
DEVICE int acc_key(int tile, int i) { return tile_half() * 8 + tile * 4 + i; }

// The key of a step that element i of V's operand for tile s is.
DEVICE int step_token(int tile, int i) {
    if constexpr (kFragK == 4) return tile_half() * 8 + tile * 4 + i;
    if constexpr (kFragK == 16) return i;
    return tile_half() * 8 + i;
}

// Keys [low, end); never empty.
struct KeyRange { int low, end; };

// The host's divider of positions by the block size, right below 2^31.
struct Divider {
    u32 magic, shift;
    __device__ inline int operator()(int x) const { return (int)((u64)(u32)x * magic >> shift); }
};

struct PagedRow {
    KvTensor key, value;
    const int* blocks;
    int block_size;
    Divider by_block;
    int head;
};

// kBlock: 16 when blocks are multiples of 16 tokens, so that 16 keys share one and its address is scalar; else 1.
template <class A, class Kv, int kLayout, int kBlock> struct PagedCache {
    static constexpr bool kByDims = kLayout != kNhd;
    static constexpr int kX = 16 / Kv::kBytes;  // elements of a chunk
    typedef Kv Elements;
    const PagedRow& row;

    // Where a step's keys are. Keys out of range take the place of one that is in range: nothing else is ever loaded.
    struct Step {
        const u8* key[kStepTiles];    // of 16 keys each
        const u8* value[kStepTiles];
        int low[kStepTiles], high[kStepTiles];  // among the 16 keys
        int first;
        int dim;                      // where kBlock is 1: first dim of tokens8
        KeyRange range;
    };

    __device__ inline Step locate(int first, KeyRange range) const {
        Step step;
        step.first = first;
        step.dim = 0;
        step.range = range;
        if constexpr (kBlock == 16) {
            _Pragma("unroll") for (int h = 0; h < kStepTiles; h++) {
                int position = wave_uniform(min_of(max_of(first + 16 * h, range.low & ~15), (range.end - 1) & ~15));
                step.low[h] = max_of(range.low - position, 0);
                step.high[h] = min_of(range.end - 1 - position, 15);
                int index = row.by_block(position), token = position - index * row.block_size;
                i64 block = load_scalar(row.blocks + index);
                step.key[h] = row.key.base + (block * row.key.block_stride + row.head * row.key.head_stride + token * row.key.token_stride) * Kv::kBytes;
                i64 inside = kLayout == kNhd ? token * row.value.token_stride : kLayout == kVectorizedX ? token : token / kX * row.value.chunk_stride;
                step.value[h] = row.value.base + (block * row.value.block_stride + row.head * row.value.head_stride + inside) * Kv::kBytes;
            }
        }
        return step;
    }

    // Where a key's elements are: bytes from a base, which 16 keys share (kBlock = 16).
    struct Row {
        const u8* base;
        u32 offset;
        __device__ inline const u8* address() const { return base + offset; }
    };

    __device__ inline Row key_row(const Step& step, int key) const {
        if constexpr (kBlock == 16) {
            return {pick(step.key, key), (u32)(clamp(step, key) * (int)row.key.token_stride * Kv::kBytes)};
        } else {
            Place place = find(step, key);
            return {row.key.base + (place.block * row.key.block_stride + row.head * row.key.head_stride + place.token * row.key.token_stride) * Kv::kBytes, 0};
        }
    }

    // 8 elements of a key's row from dim lane + c on, multiples of 8: the lane's part, and what is the same for all lanes. One of both is a multiple of kX.
    __device__ inline u32x4 key8(Row key, int lane, int c) const { return Kv::load8(key.base + (key.offset + (u32)chunks(lane)) + chunks(c)); }

    // V of a key: dim c is c · dim_bytes further on.
    __device__ inline Row value_row(const Step& step, int key) const {
        if constexpr (kBlock == 16) {
            int token = clamp(step, key);
            if constexpr (kLayout == kNhd) return {pick(step.value, key), (u32)(token * (int)row.value.token_stride * Kv::kBytes)};
            else return {pick(step.value, key), (u32)(inside(token) * Kv::kBytes)};
        } else {
            Place place = find(step, key);
            i64 element = place.block * row.value.block_stride + row.head * row.value.head_stride;
            return {row.value.base + (element + (kLayout == kNhd ? place.token * row.value.token_stride : inside(place.token))) * Kv::kBytes, 0};
        }
    }
    __device__ inline int dim_bytes() const { return (kLayout == kNhd ? 1 : kLayout == kVectorizedX ? (int)row.value.dim_stride : kX) * Kv::kBytes; }
    // By tokens, dims from lane + c on: the lane's part, and what is the same for all lanes.
    template <class Raw> DEVICE Raw value_raw(Row value, int lane, int c) {
        return load_global<Raw>(value.base + (value.offset + (u32)(lane * Kv::kBytes)) + c * Kv::kBytes);
    }
    DEVICE u32x4 value8(Row value, int lane, int c) { return Kv::widen(value_raw<typename Kv::Raw8>(value, lane, c)); }
    DEVICE u32x2 value4(Row value, int lane, int c) { return Kv::widen(value_raw<typename Kv::Raw4>(value, lane, c)); }
    __device__ inline u16 value1(const u8* value, int c) const {
        if constexpr (Kv::kBytes == 2) return load_global<u16>(value + c * dim_bytes());
        else return A::round(Kv::widen_one(load_global<u8>(value + c * dim_bytes())));
    }

    // V of dim c for 8 keys of a step from a multiple of 8 on, by dims. Keys out of range are anything.
    __device__ inline u32x4 tokens8(const Step& step, int key, int c) const {
        if constexpr (kBlock == 16) {
            return Kv::load8(pick(step.value, key) + (u32)(c * dim_bytes() + inside(key % 16) * Kv::kBytes));
        } else {
            u32x4 words = {0, 0, 0, 0};
            for (int i = 0; i < 8; i++) words[i / 2] |= (u32)value1(value_row(step, key + i).address(), step.dim + c) << (16 * (i % 2));
            return words;
        }
    }

    // Dims of tokens8 start so many later.
    __device__ inline void skip_dims(Step& step, int dims) const {
        if constexpr (kBlock == 16) {
            _Pragma("unroll") for (int h = 0; h < kStepTiles; h++) step.value[h] += dims * dim_bytes();
        } else {
            step.dim += dims;
        }
    }

private:
    struct Place { i64 block; int token; };

    // Bytes from a key's first dim to dim c.
    __device__ inline int chunks(int c) const { return (kLayout == kNhd ? c : c / kX * (int)row.key.chunk_stride + c % kX) * Kv::kBytes; }

    __device__ inline Place find(const Step& step, int key) const {
        int position = min_of(max_of(step.first + key, step.range.low), step.range.end - 1), index = row.by_block(position);
        return {row.blocks[index], position - index * row.block_size};
    }

    DEVICE const u8* pick(const u8* const* tiles, int key) { return kStepTiles == 1 || key / 16 == 0 ? tiles[0] : tiles[kStepTiles - 1]; }

    DEVICE int clamp(const Step& step, int key) {
        bool is_first = kStepTiles == 1 || key / 16 == 0;
        return min_of(max_of(key % 16, is_first ? step.low[0] : step.low[kStepTiles - 1]), is_first ? step.high[0] : step.high[kStepTiles - 1]);
    }

    // By dims: where a token of a block (of 16 tokens) is.
    __device__ inline int inside(int token) const {
        return kLayout == kVectorizedX ? token : token / kX * (int)row.value.chunk_stride + token % kX;
    }
};
