// Attention over the paged cache: unified_attention, paged_decode and mla_decode are instances of one kernel and its reduce.
//
// Work: group (x, y, z) = query tile (or kWaves tiles), KV head, segment of keys · slice of V's dims. kSharedQuery: the waves of a group have one
// tile and take its keys in turns (decode); else each wave has a tile of its own (prefill).
// LDS: merge buffer of 16 · (kVDim + 2) floats (kSharedQuery), 16 · (kDim + 8) elements of queries a tile where they do not fit registers.
// Bytes: every cached row once per query tile and slice, 16 bytes a lane.
#pragma once
#include "query_tile.h"

constexpr int kAttentionWaves = 4;
constexpr int kAttentionThreads = kAttentionWaves * kWave;

enum RowFilter : int { kAllRows = 0, kSingleToken = 1, kMultiToken = 2 };

// Host: PagedAttentionKernelArgs.cs has the same fields.
struct PagedAttentionArgs {
    QueryArgs query;
    KvTensor key;
    KvTensor value;
    const int* block_table;
    i64 block_table_stride;
    const int* seq_lens;
    const float* sinks;
    const float* slopes;
    u16* output;             // [T, Hq, Dv]
    i64 output_token_stride, output_head_stride;
    float* lse;              // [Hq, T], or null
    i64 lse_head_stride;
    float* partials;         // [tiles, KV heads, segments, 16, v_dim + 2], used when num_segments > 1
    float scale;
    float soft_cap;
    int window;
    int num_kv_heads;
    int v_dim;
    int block_size;
    int kv_type;             // Fp8 type of an 8-bit cache
    int row_filter;
    int num_segments;
    int num_slices;          // of V's dims, kVDim each
};

DEVICE bool is_filtered(int filter, int query_len) {
    return filter == kSingleToken ? query_len != 1 : filter == kMultiToken && query_len == 1;
}

// Keys of a segment: [first, end) in whole steps, of the keys that any query of the tile sees.
struct KeyRange { int low, first, end; };

DEVICE KeyRange segment_keys(int first_position, int last_position, int window, int step, int segment, int num_segments) {
    i64 low64 = (i64)first_position - window + 1;
    int low = low64 > 0 ? (int)low64 : 0;
    int end = last_position + 1;
    int first = low / step * step;
    int per_segment = (int)ceil_div(ceil_div(end - first, step), num_segments) * step;
    first += segment * per_segment;
    return {max_of(low, first), first, min_of(end, first + per_segment)};
}

DEVICE float* partial_row(const PagedAttentionArgs& args, int tile, int kv_head, int segment, int column) {
    return args.partials + ((((i64)tile * args.num_kv_heads + kv_head) * args.num_segments + segment) * 16 + column) * (args.v_dim + 2);
}

DEVICE float lse_of(float max, float sum) { return sum > 0 ? (max + log2_fast(sum)) * kLn2 : -kInfinity; }

// The factor that turns the weighted sum of values into the output: 1 / denominator, which the sink joins once.
DEVICE float denominator_factor(const float* sinks, int head, float& max, float& sum) {
    if (sinks != nullptr) {
        float sink = sinks[head] * kLog2E;
        float new_max = __builtin_fmaxf(max, sink);
        float shift = new_max == -kInfinity ? 0 : new_max;
        sum = sum * exp2_fast(max - shift) + exp2_fast(sink - shift);
        float factor = exp2_fast(max - shift);
        max = new_max;
        return sum > 0 ? factor / sum : 0;
    }
    return sum > 0 ? 1.0f / sum : 0;
}

template <class T, class Kv, bool kByDims, int kDim, int kVDim, bool kSharedQuery>
DEVICE void paged_attention(const PagedAttentionArgs& args, float* merge, u16* query_lds) {
    typedef PagedReader<T, Kv, kByDims> Reader;
    typedef AttentionWave<T, Reader, kDim, kVDim> Wave;
    int tile_index = kSharedQuery ? group_x() : group_x() * kAttentionWaves + wave_index();
    int kv_head = group_y();
    int segment = group_z() % args.num_segments, slice = group_z() / args.num_segments;
    QueryTile tile = QueryTile::find(args.query, tile_index);
    if (tile.is_empty || is_filtered(args.row_filter, tile.query_len)) return;

    int seq_len = args.seq_lens[tile.row];
    int prefix = seq_len - tile.query_len;
    int first_position = prefix + tile.first_column / args.query.gqa_ratio;
    int last_position = prefix + tile.last_token(args.query);
    KeyRange keys = segment_keys(first_position, last_position, args.window, Wave::kKeys, segment, args.num_segments);

    bool has_column = tile.has_column(args.query);
    int head = has_column ? tile.head(args.query, kv_head) : 0;
    QueryLane lane = {prefix + tile.token(args.query), args.slopes == nullptr ? 0.0f : args.slopes[head], has_column};
    ScoreRule rule = {args.scale * kv_scale(args.key, kv_head), args.soft_cap, args.window, 1};
    Reader reader = {args.key, args.value, {args.block_table + tile.row * args.block_table_stride, args.block_size}, kv_head, Kv::make(args.kv_type)};
    WaveQuery<kDim> query;
    query.load(args.query, tile, kv_head, query_lds + (kSharedQuery ? 0 : wave_index() * WaveQuery<kDim>::kLdsElements));
    if constexpr (kSharedQuery && WaveQuery<kDim>::kLdsElements > 0) group_barrier();

    Wave wave;
    wave.clear();
    int v_begin = slice * kVDim, v_dim = min_of(kVDim, args.v_dim - v_begin);
    if constexpr (kSharedQuery) {
        // Steps in turns: neighbouring waves read neighbouring keys.
        for (int first = keys.first + wave_index() * Wave::kKeys; first < keys.end; first += kAttentionWaves * Wave::kKeys)
            wave.attend(reader, rule, lane, query, first, keys.low, min_of(keys.end, first + Wave::kKeys), args.query.head_dim, v_begin, v_dim);
    } else {
        wave.attend(reader, rule, lane, query, keys.first, keys.low, keys.end, args.query.head_dim, v_begin, v_dim);
    }
    wave.finish();

    if constexpr (kSharedQuery) {
        float* states = merge + 16 * kVDim;
        for (int w = 1; w < kAttentionWaves; w++) {
            group_barrier();
            if (wave_index() == w) {
                _Pragma("unroll") for (int t = 0; t < Wave::kTiles; t++) {
                    for (int i = 0; i < kAcc; i++) merge[Wave::out_dim(t, i) * 16 + tile_lane()] = wave.out[t][i];
                }
                if (tile_half() == 0) {
                    states[tile_lane()] = wave.max;
                    states[16 + tile_lane()] = wave.sum;
                }
            }
            group_barrier();
            if (wave_index() != 0) continue;
            float own, other;
            wave.merge(states[tile_lane()], states[16 + tile_lane()], own, other);
            _Pragma("unroll") for (int t = 0; t < Wave::kTiles; t++) {
                for (int i = 0; i < kAcc; i++) wave.out[t][i] = wave.out[t][i] * own + merge[Wave::out_dim(t, i) * 16 + tile_lane()] * other;
            }
        }
        if (wave_index() != 0) return;
    }

    if (!has_column) return;
    if (args.num_segments > 1) {
        float* partial = partial_row(args, tile_index, kv_head, segment, tile_lane());
        if (tile_half() == 0 && slice == 0) {
            partial[0] = wave.max;
            partial[1] = wave.sum;
        }
        _Pragma("unroll") for (int t = 0; t < Wave::kTiles; t++) {
            for (int i = 0; i < kAcc; i++) {
                int d = Wave::out_dim(t, i);
                if (d < v_dim) partial[2 + v_begin + d] = wave.out[t][i];
            }
        }
        return;
    }

    float factor = denominator_factor(args.sinks, head, wave.max, wave.sum) * kv_scale(args.value, kv_head);
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

// Merges the segments of one query row: group (x, y) = tile, KV head; 16 threads a column would idle, so a wave takes a column and its lanes the dims.
template <class T> DEVICE void reduce_segments(const PagedAttentionArgs& args) {
    int tile_index = group_x(), kv_head = group_y();
    QueryTile tile = QueryTile::find(args.query, tile_index);
    if (tile.is_empty || is_filtered(args.row_filter, tile.query_len)) return;
    for (int q = wave_index(); q < 16; q += kAttentionWaves) {
        int column = tile.first_column + q;
        if (column >= tile.query_len * args.query.gqa_ratio) return;
        int head = kv_head * args.query.gqa_ratio + column % args.query.gqa_ratio;
        float max = -kInfinity;
        for (int s = 0; s < args.num_segments; s++) max = __builtin_fmaxf(max, partial_row(args, tile_index, kv_head, s, q)[0]);
        float shift = max == -kInfinity ? 0 : max, sum = 0;
        for (int s = 0; s < args.num_segments; s++) {
            const float* partial = partial_row(args, tile_index, kv_head, s, q);
            sum += partial[1] * exp2_fast(partial[0] - shift);
        }
        float factor = denominator_factor(args.sinks, head, max, sum) * kv_scale(args.value, kv_head);
        i64 token = tile.first_token + column / args.query.gqa_ratio;
        u16* output = args.output + token * args.output_token_stride + head * args.output_head_stride;
        for (int d = lane_index(); d < args.v_dim; d += kWave) {
            float value = 0;
            for (int s = 0; s < args.num_segments; s++) {
                const float* partial = partial_row(args, tile_index, kv_head, s, q);
                float weight = exp2_fast(partial[0] - shift);
                // A segment without keys has written no values.
                if (weight > 0) value += partial[2 + d] * weight;
            }
            output[d] = T::round(value * factor);
        }
        if (args.lse != nullptr && lane_index() == 0) args.lse[head * args.lse_head_stride + token] = lse_of(max, sum);
    }
}
