// Attention over contiguous q, k and v by cumulative offsets (IAttentionKernels.FlashVarlenPacked): the waves of a group have query tiles of one row and share its
// keys, which go through LDS in tiles of kKeys, loaded once and laid out so that both products read their operands as they are.
//
// Work: group (x, y, z) = 16 · kPackedWaves columns of a row, KV head, slice of V's dims. LDS: kKeys rows of DIM + 8 elements of K; V by dims, VDIM rows of kKeys
// elements and padding, each 16 keys in the order of an operand (matrix.h: frag_k); the queries where they do not fit registers.
// Bytes: K once per group and slice, V once per group: 1 / kPackedWaves of flash_varlen's.
#include "flash_args.h"
#include "row_end.h"

constexpr int kPackedWaves = 4;
constexpr int kPackedThreads = kPackedWaves * kWave;
constexpr int kChunks = (DIM + 31) / 32;
constexpr int kTiles = kWave == 64 || DIM <= 64 ? 2 : 1;  // of 16 keys: LDS decides
constexpr int kKeys = 16 * kTiles;
constexpr int kKeyStride = 32 * kChunks + 8;               // 16 bytes more: rows start in different banks
constexpr int kValueStride = kKeys + (kFragK == 4 ? 4 : 8);
constexpr int kOut = VDIM / 16;
typedef WaveQuery<32 * kChunks> Query;

struct PackedLds {
    __attribute__((aligned(16))) u16 keys[kKeys * kKeyStride];
    __attribute__((aligned(16))) u16 values[VDIM * kValueStride];
    __attribute__((aligned(16))) u16 queries[kPackedWaves * Query::kLdsElements + 8];
};
static_assert(sizeof(PackedLds) <= 65536);

// Queries in LDS are to be read where they are used, not kept in registers around the loop.
template <class Q> DEVICE Q read_again(Q query) {
    if constexpr (Q::kLdsElements > 0) query.lds += hidden(0);
    return query;
}

template <class A> DEVICE void attend(const FlashVarlenArgs& args, PackedLds& lds) {
    int kv_head = group_y(), v_begin = group_z() * VDIM, v_dim = min_of(VDIM, args.v_dim - v_begin);
    QueryTile tile = QueryTile::find<16 * kPackedWaves>(args.query, group_x());
    if (tile.is_empty) return;
    int group_column = tile.first_column;
    tile.first_column += 16 * wave_index();
    FlashRow row = FlashRow::find(args, tile.row, tile.query_len);
    int ratio = args.query.gqa_ratio, last_column = min_of(group_column + 16 * kPackedWaves, tile.query_len * ratio) - 1;
    KeySpan all = row.span(args, group_column / ratio, last_column / ratio);
    bool is_busy = tile.first_column <= last_column;  // else the wave only loads
    KeySpan span = is_busy ? row.span(args, tile.first_column / ratio, tile.last_token(args.query)) : KeySpan{0, 0, 0, 0};
    ScoreForm form = ScoreForm::make(args.scale, args.soft_cap, args.window, args.causal);
    bool has_column = tile.has_column(args.query);
    int head = has_column ? tile.head(args.query, kv_head) : 0;
    LaneQuery lane = LaneQuery::make(form, span, row.query_position + tile.token(args.query), args.slopes == nullptr ? 0.0f : args.slopes[head]);
    Query query;
    query.load(args.query, tile, kv_head, lds.queries + wave_index() * Query::kLdsElements);

    Acc out[kOut];
    _Pragma("unroll") for (int o = 0; o < kOut; o++) out[o] = acc_zero();
    OnlineSoftmax<kTiles> state;
    state.clear();
    DenseReader<A> reader = {
        args.key + row.first_key * args.key_token_stride + kv_head * args.key_head_stride,
        args.key_rope + row.first_key * args.key_rope_stride,
        args.value + row.first_key * args.value_token_stride + kv_head * args.value_head_stride + v_begin,
        args.key_token_stride, args.key_rope_stride, args.value_token_stride, DIM - ROPE, row.key_position};
    int first = (all.low - row.key_position) / kKeys * kKeys + row.key_position;
    for (int at = first; at < all.end; at += kKeys) {
        group_barrier();
        // Keys outside of the group's span take the place of the nearest inside.
        for (int piece = thread_index(); piece < kKeys * kChunks * 4; piece += kPackedThreads) {
            int key = piece / (kChunks * 4), c = piece % (kChunks * 4) * 8, position = min_of(max_of(at + key, all.low), all.end - 1);
            store16(lds.keys + key * kKeyStride + c, c < DIM ? reader.key8(position, c) : u32x4{0, 0, 0, 0});
        }
        // Four keys by eight dims: a transpose in registers, so that a write has four keys of a dim.
        for (int piece = thread_index(); piece < kKeys / 4 * (VDIM / 8); piece += kPackedThreads) {
            int part = piece % (kKeys / 4), c = piece / (kKeys / 4) * 8, slot = part * 4;
            u32x4 v[4];
            for (int i = 0; i < 4; i++) {
                int e = slot % 16 + i, key = slot / 16 * 16 + (kFragK != 16 ? e : e < 8 ? 2 * e : 2 * e - 15);
                v[i] = c < v_dim ? reader.value8(min_of(max_of(at + key, all.low), all.end - 1), c) : u32x4{0, 0, 0, 0};
            }
            for (int d = 0; d < 8; d++) {
                u32 words[2];
                for (int h = 0; h < 2; h++) {
                    u32 a = v[2 * h][d / 2], b = v[2 * h + 1][d / 2];
                    words[h] = d % 2 == 0 ? (a & 0xFFFFu) | (b << 16) : (a >> 16) | (b & 0xFFFF0000u);
                }
                *(u32x2*)(lds.values + (c + d) * kValueStride + slot) = {words[0], words[1]};
            }
        }
        group_barrier();
        if (!is_busy || at + kKeys <= span.low || at >= span.end) continue;

        Query own = read_again(query);
        Acc score[kTiles];
        _Pragma("unroll") for (int s = 0; s < kTiles; s++) score[s] = acc_zero();
        _Pragma("unroll") for (int k = 0; k < kChunks; k++) {
            finish_before_loads(score[kTiles - 1]);
            Frag32 q = own(k);
            _Pragma("unroll") for (int s = 0; s < kTiles; s++) score[s] = mma32<A>(load_frag32(lds.keys + (16 * s + tile_lane()) * kKeyStride + 32 * k), q, score[s]);
        }
        bool is_part = span.is_part(form, at, kKeys);
        u32 seen[kTiles];
        float factor = state.step(score, form, lane, at, is_part, seen);
        if (lanes_any(factor != 1)) {
            _Pragma("unroll") for (int o = 0; o < kOut; o++) {
                finish_product(out[o]);
                out[o] *= factor;
                finish_product(out[o]);
            }
        }
        _Pragma("unroll") for (int s = 0; s < kTiles; s++) {
            Frag p = from_acc<A>(score[s]);
            _Pragma("unroll") for (int o = 0; o < kOut; o++) {
                finish_before_loads(out[o == 0 ? 0 : o - 1]);
                const u16* values = lds.values + (16 * o + tile_lane()) * kValueStride + 16 * s + (kFragK == 16 ? 0 : tile_half() * kFragK);
                Frag a;
                if constexpr (kFragK == 4) {
                    u32x2 v = *(const u32x2*)values;
                    a = {{v[0], v[1]}};
                } else {
                    for (int i = 0; i < kFragK / 8; i++) {
                        u32x4 v = load16(values + 8 * i);
                        for (int w = 0; w < 4; w++) a.w[4 * i + w] = v[w];
                    }
                }
                if (is_part) {
                    u32 infinite = 0;
                    for (int w = 0; w < kFragK / 2; w++) infinite |= find_infinite<A>(a.w[w]);
                    if (lanes_any(infinite != 0)) {
                        Frag sees = seen_keys<A>(seen[s]);
                        finish_product(out[o]);
                        add_infinite<A>(a, sees, p, out[o]);
                        finish_product(out[o]);
                        for (int w = 0; w < kFragK / 2; w++) a.w[w] = finite2<A>(a.w[w]);
                    }
                }
                out[o] = mma<A>(a, p, out[o]);
                finish_product(out[o]);
            }
        }
    }
    state.finish();
    // Found again, not kept in registers around the loop.
    tile.first_column = hidden(tile.first_column);
    if (!tile.has_column(args.query)) return;
    head = tile.head(args.query, kv_head);
    RowEnd done = RowEnd::make(state.max, state.sum, args.sinks != nullptr, args.sinks == nullptr ? 0 : args.sinks[head]);
    i64 token = tile.first_token + tile.token(args.query);
    u16* output = args.output + token * args.output_token_stride + head * args.output_head_stride + v_begin;
    _Pragma("unroll") for (int o = 0; o < kOut; o++) {
        for (int i = 0; i < kAcc; i++) {
            int d = 16 * o + acc_row(i);
            if (d < v_dim) output[d] = A::round(out[o][i] * done.factor);
        }
    }
    if (args.lse != nullptr && group_z() == 0 && tile_half() == 0) args.lse[head * args.lse_head_stride + token] = done.lse;
}

// T: the activation type; DIM: dims of K, of which ROPE come from key_rope; VDIM: dims of a slice of V, rounded up to 16.
KERNEL(kPackedThreads) flash_varlen_packed(FlashVarlenArgs args) {
    __shared__ PackedLds lds;
    attend<T>(args, lds);
}
