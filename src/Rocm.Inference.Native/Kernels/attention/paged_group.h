// Attention over the paged cache, split at fixed absolute positions: a wave takes a segment of keys, a group's waves the segments of a span, and the
// states of segments, spans and stretches are merged in their order. A column's result is therefore the same bits in any batch, chunk and split.
//
// Work: group (x, y, z) = block of 16 · kColumns query columns, KV head · slice of V's dims, units of keys z, z + num_splits … A unit is a span, a stretch or
// the whole row; partial results of units are merged by reduce_units. Units are found from the lengths on the device.
// LDS: a quarter of the waves' states at a time, and the queries where they do not fit registers.
// Bytes: every cached row once per block of columns (K once per slice), 16 bytes a lane; 2 / span length of that again for partial results.
#pragma once
#include "paged_wave.h"

constexpr int kPagedWaves = 4;
constexpr int kPagedThreads = kPagedWaves * kWave;
constexpr int kSegmentKeys = 128;
constexpr int kSpanKeys = kPagedWaves * kSegmentKeys;
constexpr int kStretchKeys = 16 * kSpanKeys;

enum RowFilter : int { kAllRows = 0, kSingleToken = 1, kMultiToken = 2 };
enum UnitKind : int { kSpanUnit = 0, kStretchUnit = 1, kRowUnit = 2 };

// Host: PagedAttention.cs has the same fields.
struct PagedAttentionArgs {
    QueryBlockArgs query;
    KvTensor key, value;
    const int* block_table;
    i64 block_table_stride;
    const int* seq_lens;
    const float* sinks;
    const float* slopes;
    u16* output;             // [T, Hq, Dv]
    i64 output_token_stride, output_head_stride;
    float* partials;         // [blocks, KV heads · slices, max_units, partial_floats]
    Divider by_block;
    float scale, soft_cap;
    int window;
    int block_size, num_slices, row_filter;
    int unit;                // UnitKind
    int max_units;           // of a row
    int num_splits;          // groups in z
    int num_heads;           // groups in y: KV heads · slices
    int min_length, max_length;   // rows of other lengths are skipped
};

// States of a column or of many: largest score and sum of weights (values lie elsewhere).
struct SoftmaxState {
    float max, sum;

    // Takes another state's keys, which come after this one's; the factors are for the values of both.
    __device__ inline void fold(SoftmaxState other, float& own_factor, float& other_factor) {
        float new_max = __builtin_fmaxf(max, other.max);
        float shift = new_max == -kInfinity ? 0 : new_max;
        own_factor = exp2_fast(max - shift);
        other_factor = exp2_fast(other.max - shift);
        max = new_max;
        sum = __builtin_fmaf(other.sum, other_factor, unfused(sum * own_factor));
    }
};

// Values of one level of merging: the tiles of dims that this wave keeps, and the state of its columns.
template <int kColumns, int kOwnTiles> struct Merged {
    SoftmaxState state[kColumns];
    Acc out[kColumns][kOwnTiles];

    __device__ inline void clear() {
        _Pragma("unroll") for (int n = 0; n < kColumns; n++) {
            state[n] = {-kInfinity, 0};
            _Pragma("unroll") for (int t = 0; t < kOwnTiles; t++) out[n][t] = acc_zero();
        }
    }

    __device__ inline void fold(const Merged& other) {
        _Pragma("unroll") for (int n = 0; n < kColumns; n++) {
            float own, next;
            state[n].fold(other.state[n], own, next);
            _Pragma("unroll") for (int t = 0; t < kOwnTiles; t++) fold_values(out[n][t], own, other.out[n][t], next);
        }
    }

    DEVICE void fold_values(Acc& to, float own, Acc from, float next) {
        for (int i = 0; i < kAcc; i++) to[i] = __builtin_fmaf(from[i], next, unfused(to[i] * own));
    }
};

template <class A, class Kv, int kLayout, int kBlock, int kDim, int kVDim, int kColumns> struct PagedGroup {
    typedef PagedCache<A, Kv, kLayout, kBlock> Cache;
    typedef PagedWave<A, Cache, kDim, kVDim, kColumns> Wave;
    typedef BlockQueries<kDim, kColumns> Queries;
    typedef QueryBlock<16 * kColumns> Block;
    static constexpr int kOwnTiles = Wave::kTiles / kPagedWaves;  // tile t is kept by wave t % kPagedWaves
    typedef Merged<kColumns, kOwnTiles> State;
    static_assert(Wave::kTiles % kPagedWaves == 0);

    struct Lds {
        Acc values[kPagedWaves][kPagedWaves][kWave];           // [wave][tile of the round][lane]
        SoftmaxState states[kPagedWaves][16 * kColumns];
        u16 queries[Queries::kLdsElements + 8];
    };

    const PagedAttentionArgs& args;
    Lds* lds;
    int kv_head, slice;
    Block block;

    DEVICE bool is_filtered(int filter, int query_len) { return filter == kSingleToken ? query_len != 1 : filter == kMultiToken && query_len == 1; }

    DEVICE int unit_keys(int unit) { return unit == kSpanUnit ? kSpanKeys : kStretchKeys; }

    // What of a row's keys the block's columns see.
    struct Sight {
        int prefix;
        KeyRange range, whole;
        int first_unit, num_units;
    };

    __device__ inline Sight look() const {
        Sight sight;
        sight.prefix = load_scalar(args.seq_lens + block.row) - block.query_len;
        int first = sight.prefix + block.token(args.query, 0), last = sight.prefix + block.token(args.query, block.num_columns - 1);
        sight.range = {first - min_of(args.window, first + 1) + 1, last + 1};
        sight.whole = {last - min_of(args.window, last + 1) + 1, first + 1};
        if (args.unit == kRowUnit) {
            sight.first_unit = 0;
            sight.num_units = 1;
        } else {
            sight.first_unit = sight.range.low / unit_keys(args.unit);
            sight.num_units = sight.range.low >= sight.range.end ? 0 : (sight.range.end - 1) / unit_keys(args.unit) + 1 - sight.first_unit;
        }
        return sight;
    }

    __device__ inline void run(const Sight& sight) {
        ColumnLane lane[kColumns];
        _Pragma("unroll") for (int n = 0; n < kColumns; n++) {
            int column = min_of(16 * n + tile_lane(), block.num_columns - 1);
            lane[n].position = sight.prefix + block.token(args.query, column);
            lane[n].slope = args.slopes == nullptr ? 0.0f : args.slopes[block.head(args.query, column, kv_head)] * kLog2E;
        }
        float scale = args.scale * kv_scale(args.key, kv_head);
        ScoreRule rule = {args.soft_cap > 0 ? scale / args.soft_cap : scale * kLog2E, args.soft_cap * kLog2E, args.slopes, args.window};
        PagedRow row = {args.key, args.value, args.block_table + block.row * args.block_table_stride, args.block_size, args.by_block, kv_head};
        row.value.base += slice * kVDim * (kLayout == kNhd ? 1 : (int)args.value.dim_stride) * Kv::kBytes;
        Queries queries;
        queries.template load<kPagedThreads>(args.query, block, kv_head, lds->queries);
        if constexpr (Queries::kInLds) group_barrier();
        Cache cache = {row};
        for (int u = group_z(); u < sight.num_units; u += args.num_splits) {
            KeyRange keys = sight.range;
            if (args.unit != kRowUnit) {
                int size = unit_keys(args.unit), first = (sight.first_unit + u) * size;
                keys = {max_of(keys.low, first), (int)min_of((i64)keys.end, (i64)first + size)};
            }
            State total, stretch;
            total.clear();
            stretch.clear();
            // Spans of the unit, by their number in the row.
            int end = keys.low < keys.end ? (keys.end - 1) / kSpanKeys + 1 : 0;
            for (int span = keys.low / kSpanKeys; span < end; span++) {
                add_span(stretch, cache, rule, lane, queries, span * kSpanKeys, sight);
                if ((span + 1) % (kStretchKeys / kSpanKeys) != 0 && span + 1 < end) continue;
                if (args.unit == kRowUnit) {
                    total.fold(stretch);
                    stretch.clear();
                }
            }
            if (args.unit == kRowUnit) write(total);
            else save(stretch, u);
        }
    }

    __device__ inline void add_span(State& stretch, const Cache& cache, const ScoreRule& rule, const ColumnLane* lane, const Queries& queries, int first, const Sight& sight) {
        Wave wave;
        wave.clear();
        int segment = first + wave_index() * kSegmentKeys;
        wave.attend(cache, rule, lane, queries, segment, segment + kSegmentKeys, sight.range, sight.whole);
        wave.finish();
        if (tile_half() == 0) {
            for (int n = 0; n < kColumns; n++) lds->states[wave_index()][16 * n + tile_lane()] = {wave.max[n], wave.sum[n]};
        }
        State span;
        _Pragma("unroll") for (int n = 0; n < kColumns; n++) {
            float own[kPagedWaves], next[kPagedWaves];
            _Pragma("unroll") for (int round = 0; round < kOwnTiles; round++) {
                _Pragma("unroll") for (int t = 0; t < kPagedWaves; t++) lds->values[wave_index()][t][lane_index()] = wave.out[n][kPagedWaves * round + t];
                group_barrier();
                if (round == 0) {
                    span.state[n] = {-kInfinity, 0};
                    for (int w = 0; w < kPagedWaves; w++) span.state[n].fold(lds->states[w][16 * n + tile_lane()], own[w], next[w]);
                }
                Acc merged = acc_zero();
                for (int w = 0; w < kPagedWaves; w++) State::fold_values(merged, own[w], lds->values[w][wave_index()][lane_index()], next[w]);
                span.out[n][round] = merged;
                group_barrier();
            }
        }
        stretch.fold(span);
    }

    // Partial result of a unit: states of all columns, then the accumulators as lanes hold them; only of columns that are there.
    static constexpr int kPartialFloats = kColumns * (32 + Wave::kTiles * kWave * kAcc);

    __device__ inline float* partial(int unit) const {
        return args.partials + (((i64)group_x() * args.num_heads + group_y()) * args.max_units + unit) * kPartialFloats;
    }

    __device__ inline void save(const State& state, int unit) const {
        float* to = partial(unit);
        for (int n = 0; n < kColumns; n++) {
            if (16 * n + tile_lane() >= block.num_columns) continue;
            if (wave_index() == 0 && tile_half() == 0) ((SoftmaxState*)to)[16 * n + tile_lane()] = state.state[n];
            Acc* values = (Acc*)(to + 32 * kColumns) + n * Wave::kTiles * kWave;
            for (int t = 0; t < kOwnTiles; t++) values[(kPagedWaves * t + wave_index()) * kWave + lane_index()] = state.out[n][t];
        }
    }

    __device__ inline State restore(int unit) const {
        State state;
        const float* from = partial(unit);
        _Pragma("unroll") for (int n = 0; n < kColumns; n++) {
            // A column that is not there takes the first one's place.
            bool is_there = 16 * n + tile_lane() < block.num_columns;
            state.state[n] = ((const SoftmaxState*)from)[is_there ? 16 * n + tile_lane() : 0];
            const Acc* values = (const Acc*)(from + 32 * kColumns) + (is_there ? n * Wave::kTiles * kWave + lane_index() : tile_half() * 16);
            _Pragma("unroll") for (int t = 0; t < kOwnTiles; t++) state.out[n][t] = values[(kPagedWaves * t + wave_index()) * kWave];
        }
        return state;
    }

    // Merges the units of a row as an unsplit row would be.
    __device__ inline void reduce(const Sight& sight) {
        State total, stretch;
        total.clear();
        stretch.clear();
        for (int u = 0; u < sight.num_units; u++) {
            State unit = restore(u);
            stretch.fold(unit);
            bool is_last = args.unit == kStretchUnit || u + 1 == sight.num_units || (sight.first_unit + u + 1) % (kStretchKeys / kSpanKeys) == 0;
            if (!is_last) continue;
            total.fold(stretch);
            stretch.clear();
        }
        write(total);
    }

    // Divides by the softmax denominator, which the sink joins once.
    __device__ inline void write(const State& state) const {
        float v_scale = kv_scale(args.value, kv_head);
        _Pragma("unroll") for (int n = 0; n < kColumns; n++) {
            // Found here, not kept in registers around the loops.
            int column = hidden(16 * n + tile_lane());
            if (column >= block.num_columns) continue;
            int head = block.head(args.query, column, kv_head);
            SoftmaxState end = state.state[n];
            float own = 1, next;
            if (args.sinks != nullptr) end.fold({args.sinks[head] * kLog2E, 1}, own, next);
            // NaN stays: only a row without keys and sink has a sum of 0.
            float factor = end.sum == 0 ? 0 : own / end.sum * v_scale;
            i64 token = block.first_token + block.token(args.query, column);
            u16* output = args.output + token * args.output_token_stride + head * args.output_head_stride + slice * kVDim;
            int first = hidden(Wave::first_dim());
            _Pragma("unroll") for (int t = 0; t < kOwnTiles; t++) {
                for (int i = 0; i < kAcc; i++) {
                    int d = first + Wave::dim_offset(kPagedWaves * t + wave_index(), i);
                    if (d < kVDim) output[d] = A::round(state.out[n][t][i] * factor);
                }
            }
        }
    }

    // The whole of a kernel: attention over units of keys, or the merge of their partial results.
    template <bool kReduce> DEVICE void run_group(const PagedAttentionArgs& args, Lds* lds) {
        int kv_head = group_y() / args.num_slices, slice = group_y() % args.num_slices;
        PagedGroup group = {args, lds, kv_head, slice, Block::find(args.query, group_x())};
        if (group.block.num_columns == 0 || is_filtered(args.row_filter, group.block.query_len)) return;
        Sight sight = group.look();
        int length = sight.prefix + group.block.query_len;
        if (length < args.min_length || length > args.max_length) return;
        if constexpr (kReduce) group.reduce(sight);
        else if (group_z() < sight.num_units) group.run(sight);
    }
};
