// The query rows of a group: 16 · kColumns (token, head of a KV head's group) pairs of one row of the batch.
#pragma once
#include "../common/matrix.h"

struct QueryBlockArgs {
    const u16* query;        // [T, Hq, D]
    i64 token_stride, head_stride;
    const int* cu_seqlens;   // [R + 1]
    int num_rows;
    int gqa_ratio;
    int is_row;              // no row has more than one block: block r is row r
    int unused;
};

// A block's place in the batch. Else blocks are numbered so that row r starts at
// (cu[r] − cu[0]) · G / width + r: surplus numbers are empty, and no work list is needed.
template <int kWidth> struct QueryBlock {
    int row;
    int first_token;   // of the row, in the step
    int query_len;
    int first_column;  // within the row's query_len · G columns
    int num_columns;   // 0: there is nothing to do

    DEVICE int start(const QueryBlockArgs& args, int row) {
        i64 tokens = load_scalar(args.cu_seqlens + row) - load_scalar(args.cu_seqlens);
        return (int)(tokens * args.gqa_ratio / kWidth) + row;
    }

    DEVICE QueryBlock find(const QueryBlockArgs& args, int block) {
        int low = 0, high = args.num_rows - 1;
        if (args.is_row) low = high = block;
        while (low < high) {
            int middle = (low + high + 1) / 2;
            if (start(args, middle) <= block) low = middle;
            else high = middle - 1;
        }
        QueryBlock result;
        result.row = low;
        result.first_token = load_scalar(args.cu_seqlens + low);
        result.query_len = load_scalar(args.cu_seqlens + low + 1) - result.first_token;
        result.first_column = args.is_row ? 0 : (block - start(args, low)) * kWidth;
        i64 left = (i64)result.query_len * args.gqa_ratio - result.first_column;
        result.num_columns = left <= 0 || result.first_column < 0 ? 0 : left < kWidth ? (int)left : kWidth;
        return result;
    }

    // Of column c of the block: its token within the row and its head.
    __device__ inline int token(const QueryBlockArgs& args, int c) const { return (first_column + c) / args.gqa_ratio; }
    __device__ inline int head(const QueryBlockArgs& args, int c, int kv_head) const {
        return kv_head * args.gqa_ratio + (first_column + c) % args.gqa_ratio;
    }
};

// 8 dims from c on of the lane's column of tile n; 0 for columns and dims that are not there.
template <int kDim, int kWidth> DEVICE u32x4 load_query8(const QueryBlockArgs& args, const QueryBlock<kWidth>& block, int kv_head, int n, int c) {
    int column = 16 * n + tile_lane();
    if (c >= kDim || column >= block.num_columns) return {0, 0, 0, 0};
    i64 token = block.first_token + block.token(args, column), head = block.head(args, column, kv_head);
    return load16(args.query + token * args.token_stride + head * args.head_stride + c);
}

// The B operands of a block's queries, kColumns tiles: in registers where they fit, else in LDS, which the waves of the group share.
template <int kDim, int kColumns> struct BlockQueries {
    static constexpr int kChunks = (kDim + 31) / 32;
    static constexpr bool kInLds = kChunks * kColumns > (kWave == 64 ? 8 : 2);
    static constexpr int kStride = kChunks * 32 + 8;  // 16 bytes more: rows start in different banks
    static constexpr int kLdsElements = kInLds ? 16 * kColumns * kStride : 0;
    Frag32 frag[kInLds ? 1 : kChunks * kColumns];
    const u16* lds;

    // Barriers: none; in LDS the group's threads each write a part.
    template <int kThreads> __device__ inline void load(const QueryBlockArgs& args, const QueryBlock<16 * kColumns>& block, int kv_head, u16* memory) {
        lds = memory;
        if constexpr (kInLds) {
            constexpr int kParts = kThreads / 16;
            int part = thread_index() / 16;
            for (int n = 0; n < kColumns; n++) {
                for (int c = part * 8; c < kChunks * 32; c += kParts * 8)
                    store16(memory + (16 * n + tile_lane()) * kStride + c, load_query8<kDim>(args, block, kv_head, n, c));
            }
        } else {
            _Pragma("unroll") for (int n = 0; n < kColumns; n++) {
                _Pragma("unroll") for (int k = 0; k < kChunks; k++) {
                    u32x4 loads[kLoad32];
                    for (int i = 0; i < kLoad32; i++) loads[i] = load_query8<kDim>(args, block, kv_head, n, 32 * k + load32_k(i));
                    frag[n * kChunks + k] = make_frag32(loads);
                }
            }
        }
    }

    __device__ inline Frag32 operator()(int n, int k) const {
        if constexpr (kInLds) return load_frag32(lds + (16 * n + tile_lane()) * kStride + 32 * k);
        else return frag[n * kChunks + k];
    }
};
