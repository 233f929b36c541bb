// The inner loop of flash_varlen: one wave, 16 query rows, keys and values straight from contiguous memory into operands.
//
// Products are taken transposed: Sᵀ[keys, queries] = K · Qᵀ and Oᵀ[dims, queries] += Vᵀ · Pᵀ, so that P is the B operand of the second product as it
// comes out of the first (matrix.h). A key outside of the span is replaced by the nearest one inside: loads need no condition, and masks do the rest.
#pragma once
#include "flash_args.h"
#include "online_softmax.h"

// kDim: dims of K, a multiple of 8, of which kRope come from key_rope. kVDim: of V, rounded up to 64.
template <class A, int kDim, int kRope, int kVDim> struct FlashWave {
    // Dims of V that a lane loads at once: its rows of the Vᵀ operands are (lane % 16)·kVec + j of a slab of 16·kVec.
    static constexpr int kVec = kFragK == 16 || kVDim % 128 != 0 ? 4 : 8;
    static constexpr int kSlab = 16 * kVec;
    static constexpr int kTiles = kVDim / 16;
    static constexpr int kSteps = kWave == 64 ? 2 : 1;  // tiles of 16 keys for one rescaling: registers decide
    static constexpr int kKeys = 16 * kSteps;
    static constexpr int kDimSteps = (kDim + 31) / 32;
    typedef WaveQuery<32 * kDimSteps> Query;

    Acc out[kTiles];
    OnlineSoftmax<kSteps> state;

    __device__ inline void clear() {
        for (int i = 0; i < kTiles; i++) out[i] = acc_zero();
        state.clear();
    }

    // Dim of V that element i of accumulator tile stands for.
    __device__ static inline int out_dim(int tile, int i) { return tile / kVec * kSlab + acc_row(i) * kVec + tile % kVec; }

    // v_dim: dims of V from v_begin on.
    __device__ inline void attend(const FlashVarlenArgs& args, const FlashRow& row, int kv_head, const ScoreForm& form, const KeySpan& span, LaneQuery lane, const Query& query, int v_begin, int v_dim) {
        const u16* keys = args.key + row.first_key * args.key_token_stride + kv_head * args.key_head_stride;
        const u16* ropes = args.key_rope + row.first_key * args.key_rope_stride;
        const u16* values = args.value + row.first_key * args.value_token_stride + kv_head * args.value_head_stride + v_begin;
        // Steps start at multiples from the row's first key, so that a row has the same steps wherever its keys begin.
        int first = (span.low - row.key_position) / kKeys * kKeys + row.key_position;
        for (int tile = first; tile < span.end; tile += kKeys) {
            i64 t = tile - row.key_position;
            Acc score[kSteps];
            scores(args, keys + t * args.key_token_stride, ropes + t * args.key_rope_stride, span.low - tile, span.end - 1 - tile, query, score);
            bool is_part = span.is_part(form, tile, kKeys);
            u32 seen[kSteps];
            float factor = state.step(score, form, lane, tile, is_part, seen);
            if (lanes_any(factor != 1)) {
                _Pragma("unroll") for (int i = 0; i < kTiles; i++) {
                    finish_product(out[i]);
                    out[i] *= factor;
                    finish_product(out[i]);
                }
            }
            _Pragma("unroll") for (int s = 0; s < kSteps; s++)
                add_values(values + t * args.value_token_stride, (u32)args.value_token_stride, 16 * s, span.low - tile, span.end - 1 - tile, v_dim, from_acc<A>(score[s]), is_part, seen[s]);
        }
    }

private:
    // low, last: the span, counted from the tile on.
    __device__ inline void scores(const FlashVarlenArgs& args, const u16* keys, const u16* ropes, int low, int last, Query query, Acc (&score)[kSteps]) {
        if constexpr (Query::kLdsElements > 0) query.lds += hidden(0);
        u32 row[kSteps], rope[kSteps];
        _Pragma("unroll") for (int s = 0; s < kSteps; s++) {
            u32 t = (u32)min_of(max_of(16 * s + tile_lane(), low), last);
            row[s] = t * (u32)args.key_token_stride;
            rope[s] = t * (u32)args.key_rope_stride - (u32)(kDim - kRope);
            score[s] = acc_zero();
        }
        _Pragma("unroll") for (int k = 0; k < kDimSteps; k++) {
            finish_before_loads(score[kSteps - 1]);
            Frag32 q = query(k);
            _Pragma("unroll") for (int s = 0; s < kSteps; s++) {
                u32x4 loads[kLoad32];
                for (int i = 0; i < kLoad32; i++) {
                    int c = 32 * k + load32_k(i);
                    if (32 * k + 32 <= kDim - kRope) loads[i] = load16(keys + (row[s] + c));
                    else if (32 * k >= kDim - kRope && 32 * k + 32 <= kDim) loads[i] = load16(ropes + (rope[s] + c));
                    else loads[i] = c >= kDim ? u32x4{0, 0, 0, 0} : kRope == 0 || c < kDim - kRope ? load16(keys + (row[s] + c)) : load16(ropes + (rope[s] + c));
                }
                score[s] = mma32<A>(make_frag32(loads), q, score[s]);
            }
        }
    }

    // A lane loads kVec dims of each of its tokens and pairs up tokens: a transpose in registers.
    __device__ inline void add_values(const u16* values, u32 stride, int tile, int low, int last, int v_dim, Frag p, bool is_part, u32 seen) {
        finish_first(out[0], p.w[0]);
        _Pragma("unroll") for (int slab = 0; slab < kVDim / kSlab; slab++) {
            finish_before_loads(out[slab == 0 ? 0 : slab * kVec - 1]);
            int c = slab * kSlab + tile_lane() * kVec;
            u32 column = c < v_dim ? c : 0;
            u32 words[kFragK][kVec / 2];
            for (int t = 0; t < kFragK; t++) {
                const u16* address = values + ((u32)min_of(max_of(tile + frag_k(t), low), last) * stride + column);
                if constexpr (kVec == 8) {
                    u32x4 v = load16(address);
                    for (int i = 0; i < 4; i++) words[t][i] = v[i];
                } else {
                    u32x2 v = *(const u32x2*)address;
                    for (int i = 0; i < 2; i++) words[t][i] = v[i];
                }
            }
            if (is_part) {
                u32 infinite = 0;
                for (int t = 0; t < kFragK; t++) {
                    for (int i = 0; i < kVec / 2; i++) infinite |= find_infinite<A>(words[t][i]);
                }
                if (lanes_any(infinite != 0)) {
                    Frag sees = seen_keys<A>(seen);
                    _Pragma("unroll") for (int j = 0; j < kVec; j++) {
                        finish_product(out[slab * kVec + j]);
                        add_infinite<A>(column_of(words, j), sees, p, out[slab * kVec + j]);
                        finish_product(out[slab * kVec + j]);
                    }
                    for (int t = 0; t < kFragK; t++) {
                        for (int i = 0; i < kVec / 2; i++) words[t][i] = finite2<A>(words[t][i]);
                    }
                }
            }
            _Pragma("unroll") for (int j = 0; j < kVec; j++) {
                out[slab * kVec + j] = mma<A>(column_of(words, j), p, out[slab * kVec + j]);
                finish_product(out[slab * kVec + j]);
                finish_first(out[slab * kVec + j], p.w[0]);
            }
        }
    }

    // Dim j of every token: an A operand.
    __device__ static inline Frag column_of(const u32 (&words)[kFragK][kVec / 2], int j) {
        Frag a;
        for (int t = 0; t < kFragK / 2; t++) {
            u32 even = words[2 * t][j / 2], odd = words[2 * t + 1][j / 2];
            a.w[t] = j % 2 == 0 ? (even & 0xFFFFu) | (odd << 16) : (even >> 16) | (odd & 0xFFFF0000u);
        }
        return a;
    }
};
