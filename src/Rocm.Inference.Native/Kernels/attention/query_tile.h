// Query rows of a wave: 16 columns of (token, head of the group) pairs of one row of the batch.
#pragma once
#include "kv_reader.h"

struct QueryArgs {
    const u16* query;        // [T, Hq, D]
    const u16* rope;         // [T, Hq, Dr]: the rest of each head; null = none
    i64 token_stride, head_stride;
    i64 rope_token_stride, rope_head_stride;
    const int* cu_seqlens;   // [R + 1]
    int num_rows;
    int gqa_ratio;
    int dim;                 // dims that come from query; the rest from rope
    int head_dim;            // all dims
};

// A wave's place in the batch, or, with more than 16 columns, that of a group whose waves share them. Tiles of kWidth columns are numbered so that row r
// starts at cu[r]·G / kWidth + r: surplus numbers are empty, and no work list is needed.
struct QueryTile {
    int row;
    int first_token;   // of the row, in the step
    int query_len;
    int first_column;  // within the row's query_len · G columns
    bool is_empty;

    template <int kWidth> DEVICE int start(const QueryArgs& args, int row) { return (int)((i64)args.cu_seqlens[row] * args.gqa_ratio / kWidth) + row; }

    template <int kWidth = 16> DEVICE QueryTile find(const QueryArgs& args, int tile) {
        int low = 0, high = args.num_rows - 1;
        while (low < high) {
            int middle = (low + high + 1) / 2;
            if (start<kWidth>(args, middle) <= tile) low = middle;
            else high = middle - 1;
        }
        QueryTile result;
        result.row = low;
        result.first_token = args.cu_seqlens[low];
        result.query_len = args.cu_seqlens[low + 1] - result.first_token;
        result.first_column = (tile - start<kWidth>(args, low)) * kWidth;
        result.is_empty = result.first_column >= result.query_len * args.gqa_ratio || result.first_column < 0;
        return result;
    }

    __device__ inline int column() const { return first_column + tile_lane(); }
    __device__ inline bool has_column(const QueryArgs& args) const { return column() < query_len * args.gqa_ratio; }
    __device__ inline int token(const QueryArgs& args) const { return column() / args.gqa_ratio; }
    __device__ inline int last_token(const QueryArgs& args) const { return min_of(query_len - 1, (first_column + 15) / args.gqa_ratio); }
    __device__ inline int head(const QueryArgs& args, int kv_head) const { return kv_head * args.gqa_ratio + column() % args.gqa_ratio; }
};

DEVICE u32x4 load_query8(const QueryArgs& args, const QueryTile& tile, int kv_head, int c) {
    if (c >= args.head_dim || !tile.has_column(args)) return {0, 0, 0, 0};
    i64 token = tile.first_token + tile.token(args), head = tile.head(args, kv_head);
    return c < args.dim ? load16(args.query + token * args.token_stride + head * args.head_stride + c)
                        : load16(args.rope + token * args.rope_token_stride + head * args.rope_head_stride + (c - args.dim));
}

// The B operands of a wave's queries: in registers where they fit, else in LDS.
template <int kDim> struct QueryInRegisters {
    static constexpr int kLdsElements = 0;
    Frag32 frag[kDim / 32];
    __device__ inline void load(const QueryArgs& args, const QueryTile& tile, int kv_head, u16*) {
        for (int k = 0; k < kDim / 32; k++) {
            u32x4 loads[kLoad32];
            for (int i = 0; i < kLoad32; i++) loads[i] = load_query8(args, tile, kv_head, 32 * k + load32_k(i));
            frag[k] = make_frag32(loads);
        }
    }
    __device__ inline Frag32 operator()(int k) const { return frag[k]; }
};

template <int kDim> struct QueryInLds {
    static constexpr int kStride = kDim + 8;  // 16 bytes more: rows start in different banks
    static constexpr int kLdsElements = 16 * kStride;
    const u16* lds;
    // Every lane of the wave writes what the wave reads: no barrier is needed, LDS of one wave is in order.
    __device__ inline void load(const QueryArgs& args, const QueryTile& tile, int kv_head, u16* memory) {
        lds = memory;
        for (int c = tile_half() * 8; c < kDim; c += kWave / 16 * 8) store16(memory + tile_lane() * kStride + c, load_query8(args, tile, kv_head, c));
        wave_sync();
    }
    __device__ inline Frag32 operator()(int k) const { return load_frag32(lds + tile_lane() * kStride + 32 * k); }
};

template <bool kInLds, int kDim> struct QueryOf { typedef QueryInRegisters<kDim> type; };
template <int kDim> struct QueryOf<true, kDim> { typedef QueryInLds<kDim> type; };
template <int kDim> using WaveQuery = typename QueryOf<(kDim > (kWave == 64 ? 256 : 64)), kDim>::type;
