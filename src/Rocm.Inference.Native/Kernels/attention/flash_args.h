// Operands of both flash kernels: contiguous q, k and v of rows that lie one after the other.
#pragma once
#include "online_softmax.h"
#include "query_tile.h"

// Host: FlashVarlen.cs has the same fields.
struct FlashVarlenArgs {
    QueryArgs query;
    const u16* key;              // [S, Hkv, D]
    const u16* key_rope;         // [S, 1, Dr], or null
    const u16* value;            // [S, Hkv, Dv]
    i64 key_token_stride, key_head_stride, key_rope_stride, value_token_stride, value_head_stride;
    const int* cu_seqlens_k;     // [R + 1]
    const int* query_positions;  // [R], or null: bottom-right aligned
    const int* key_positions;    // [R], or null: 0
    const float* sinks;
    const float* slopes;
    u16* output;                 // [T, Hq, Dv]
    i64 output_token_stride, output_head_stride;
    float* lse;                  // [Hq, T], or null
    i64 lse_head_stride;
    float scale;
    float soft_cap;
    int window;
    int v_dim;
    int causal;
    int unused;
};

// The keys of a row and the positions of its first query and first key.
struct FlashRow {
    int first_key, num_keys;
    int query_position, key_position;

    DEVICE FlashRow find(const FlashVarlenArgs& args, int row, int query_len) {
        FlashRow result;
        result.first_key = args.cu_seqlens_k[row];
        result.num_keys = args.cu_seqlens_k[row + 1] - result.first_key;
        result.key_position = args.key_positions == nullptr ? 0 : args.key_positions[row];
        result.query_position = args.query_positions == nullptr ? result.key_position + result.num_keys - query_len : args.query_positions[row];
        return result;
    }

    // Keys that the query tokens [first, last] of the row see.
    __device__ inline KeySpan span(const FlashVarlenArgs& args, int first, int last) const {
        i64 low = (i64)query_position + first - args.window + 1;
        int end = key_position + num_keys;
        return {max_of(key_position, low > 0 ? (int)min_of(low, (i64)end) : 0), args.causal ? min_of(end, query_position + last + 1) : end, query_position + first, query_position + last};
    }
};
