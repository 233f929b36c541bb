// Attention over contiguous q, k and v by cumulative offsets (IAttentionKernels.FlashVarlen): each wave has a query tile and walks over its row's keys.
#pragma once
#include "paged_attention.h"

// Host: FlashVarlenKernelArgs.cs has the same fields.
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

template <class T, int kDim, int kVDim> DEVICE void flash_varlen(const FlashVarlenArgs& args, u16* query_lds) {
    typedef AttentionWave<T, DenseReader<T>, kDim, kVDim> Wave;
    int kv_head = group_y(), slice = group_z();
    QueryTile tile = QueryTile::find(args.query, group_x() * kAttentionWaves + wave_index());
    if (tile.is_empty) return;
    int first_key = args.cu_seqlens_k[tile.row], num_keys = args.cu_seqlens_k[tile.row + 1] - first_key;
    int key_position = args.key_positions == nullptr ? 0 : args.key_positions[tile.row];
    int row_position = args.query_positions == nullptr ? key_position + num_keys - tile.query_len : args.query_positions[tile.row];
    int first_position = row_position + tile.first_column / args.query.gqa_ratio;
    int last_position = row_position + tile.last_token(args.query);

    bool has_column = tile.has_column(args.query);
    int head = has_column ? tile.head(args.query, kv_head) : 0;
    QueryLane lane = {row_position + tile.token(args.query), args.slopes == nullptr ? 0.0f : args.slopes[head], has_column};
    ScoreRule rule = {args.scale, args.soft_cap, args.window, args.causal};
    DenseReader<T> reader = {
        args.key + first_key * args.key_token_stride + kv_head * args.key_head_stride,
        args.key_rope == nullptr ? nullptr : args.key_rope + first_key * args.key_rope_stride,
        args.value + first_key * args.value_token_stride + kv_head * args.value_head_stride,
        args.key_token_stride, args.key_rope_stride, args.value_token_stride, args.query.dim, key_position};
    WaveQuery<kDim> query;
    query.load(args.query, tile, kv_head, query_lds + wave_index() * WaveQuery<kDim>::kLdsElements);

    Wave wave;
    wave.clear();
    i64 low64 = (i64)first_position - args.window + 1;
    int low = max_of(key_position, low64 > 0 ? (int)low64 : 0);
    int end = key_position + num_keys;
    if (args.causal) end = min_of(end, last_position + 1);
    int v_begin = slice * kVDim, v_dim = min_of(kVDim, args.v_dim - v_begin);
    wave.attend(reader, rule, lane, query, low / Wave::kKeys * Wave::kKeys, low, end, args.query.head_dim, v_begin, v_dim);
    wave.finish();
    if (!has_column) return;

    float factor = denominator_factor(args.sinks, head, wave.max, wave.sum);
    i64 token = tile.first_token + tile.token(args.query);
    u16* output = args.output + token * args.output_token_stride + head * args.output_head_stride + v_begin;
    _Pragma("unroll") for (int t = 0; t < Wave::kTiles; t++) {
        for (int i = 0; i < kAcc; i++) {
            int d = Wave::out_dim(t, i);
            if (d < v_dim) output[d] = T::round(wave.out[t][i] * factor);
        }
    }
    if (args.lse != nullptr && slice == 0 && tile_half() == 0) args.lse[head * args.lse_head_stride + token] = lse_of(wave.max, wave.sum);
}
