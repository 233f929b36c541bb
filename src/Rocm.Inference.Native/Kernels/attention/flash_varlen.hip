// Attention over contiguous q, k and v by cumulative offsets (IAttentionKernels.FlashVarlen): each wave has a query tile and walks over its row's keys,
// which it takes straight from memory into operands.
//
// Work: group (x, y, z) = kFlashWaves query tiles, KV head, slice of V's dims. LDS: only the queries, where they do not fit registers.
// Bytes: K once per query tile and slice, V once per query tile.
#include "flash_wave.h"
#include "row_end.h"

constexpr int kFlashWaves = 4;

template <class A, int kDim, int kRope, int kVDim> DEVICE void attend(const FlashVarlenArgs& args, u16* query_lds) {
    typedef FlashWave<A, kDim, kRope, kVDim> Wave;
    int kv_head = group_y(), slice = group_z();
    QueryTile tile = QueryTile::find(args.query, group_x() * kFlashWaves + wave_index());
    if (tile.is_empty) return;
    FlashRow row = FlashRow::find(args, tile.row, tile.query_len);
    KeySpan span = row.span(args, tile.first_column / args.query.gqa_ratio, tile.last_token(args.query));
    bool has_column = tile.has_column(args.query);
    int head = has_column ? tile.head(args.query, kv_head) : 0;
    ScoreForm form = ScoreForm::make(args.scale, args.soft_cap, args.window, args.causal);
    LaneQuery lane = LaneQuery::make(form, span, row.query_position + tile.token(args.query), args.slopes == nullptr ? 0.0f : args.slopes[head]);
    typename Wave::Query query;
    query.load(args.query, tile, kv_head, query_lds + wave_index() * Wave::Query::kLdsElements);

    Wave wave;
    wave.clear();
    int v_begin = slice * kVDim, v_dim = min_of(kVDim, args.v_dim - v_begin);
    wave.attend(args, row, kv_head, form, span, lane, query, v_begin, v_dim);
    wave.state.finish();
    // Found again, not kept in registers around the loop.
    tile.first_column = hidden(tile.first_column);
    if (!tile.has_column(args.query)) return;
    head = tile.head(args.query, kv_head);
    RowEnd done = RowEnd::make(wave.state.max, wave.state.sum, args.sinks != nullptr, args.sinks == nullptr ? 0 : args.sinks[head]);
    i64 token = tile.first_token + tile.token(args.query);
    u16* output = args.output + token * args.output_token_stride + head * args.output_head_stride + v_begin;
    _Pragma("unroll") for (int t = 0; t < Wave::kTiles; t++) {
        for (int i = 0; i < kAcc; i++) {
            int d = Wave::out_dim(t, i);
            if (d < v_dim) output[d] = A::round(wave.out[t][i] * done.factor);
        }
    }
    if (args.lse != nullptr && slice == 0 && tile_half() == 0) args.lse[head * args.lse_head_stride + token] = done.lse;
}

// T: the activation type; DIM: dims of K, of which ROPE come from key_rope; VDIM: dims of a slice of V, rounded up to 64.
KERNEL(kFlashWaves * kWave) flash_varlen(FlashVarlenArgs args) {
    __shared__ __attribute__((aligned(16))) u16 queries[kFlashWaves * FlashWave<T, DIM, ROPE, VDIM>::Query::kLdsElements + 8];
    attend<T, DIM, ROPE, VDIM>(args, queries);
}
