// Masks and the online softmax of a wave that has 16 query rows: scores come as accumulators Sᵀ[keys, queries], a lane owns one query (column lane % 16).
// In base 2 (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018).
#pragma once
#include "seen_values.h"

// What is the same for all query rows of a launch, in base 2.
struct ScoreForm {
    float scale;         // scale · log2(e); with a soft-cap scale / cap
    float cap;           // cap · log2(e); 0 = none
    int window;          // keys that a query sees at most; 0x7FFFFFFF = all
    int causal;

    DEVICE ScoreForm make(float scale, float cap, int window, int causal) {
        return {cap > 0 ? scale / cap : scale * kLog2E, cap * kLog2E, window, causal};
    }
};

// A span of keys [low, end), and the positions of the wave's first and last query.
struct KeySpan {
    int low, end, first_query, last_query;

    // False when every query of the wave sees every key of [tile, tile + count).
    __device__ inline bool is_part(const ScoreForm& form, int tile, int count) const {
        return tile < low || tile + count > end || (form.causal && tile + count - 1 > first_query) || (i64)last_query - tile >= form.window;
    }
};

// One lane's query. It sees the keys [low, low + count).
struct LaneQuery {
    int position;   // absolute
    float slope;    // ALiBi, · log2(e)
    int low;
    u32 count;

    DEVICE LaneQuery make(const ScoreForm& form, const KeySpan& span, int position, float slope) {
        i64 low = max_of((i64)span.low, (i64)position - form.window + 1);
        int end = form.causal ? min_of(span.end, position + 1) : span.end;
        return {position, slope * kLog2E, (int)min_of(low, (i64)0x7FFFFFFF), low < end ? (u32)(end - (int)low) : 0};
    }
};

DEVICE float tanh_fast(float x) {
    float e = exp2_fast(-2.0f * kLog2E * __builtin_fabsf(x));
    return __builtin_copysignf((1.0f - e) * rcp_fast(1.0f + e), x);
}

template <int kTiles> struct OnlineSoftmax {
    float max;   // of the lane's query, in base 2
    float sum;   // over the lane's keys

    __device__ inline void clear() { max = -kInfinity; sum = 0; }

    // score: kTiles tiles of 16 keys from tile on; becomes 2^(score − max). Answers what earlier sums are to be multiplied with. is_part: some query does
    // not see some key; seen is then set, bit i of seen[s] for accumulator row i of tile s.
    __device__ inline float step(Acc (&score)[kTiles], const ScoreForm& form, LaneQuery lane, int tile, bool is_part, u32 (&seen)[kTiles]) {
        float largest = -kInfinity;
        _Pragma("unroll") for (int s = 0; s < kTiles; s++) {
            for (int i = 0; i < kAcc; i++) {
                float x = form.cap > 0 ? form.cap * tanh_fast(score[s][i] * form.scale) : score[s][i] * form.scale;
                score[s][i] = x + lane.slope * (float)(tile + 16 * s + acc_row(i) - lane.position);
            }
        }
        if (is_part) {
            _Pragma("unroll") for (int s = 0; s < kTiles; s++) {
                seen[s] = 0;
                for (int i = 0; i < kAcc; i++) {
                    bool visible = (u32)(tile + 16 * s + acc_row(i) - lane.low) < lane.count;
                    seen[s] |= (visible ? 1u : 0u) << i;
                    score[s][i] = visible ? score[s][i] : -kInfinity;
                }
            }
        }
        _Pragma("unroll") for (int s = 0; s < kTiles; s++) {
            for (int i = 0; i < kAcc; i++) largest = __builtin_fmaxf(largest, score[s][i]);
        }
        float top = __builtin_fmaxf(max, lanes_max<16>(largest));
        // Nothing seen yet: any finite maximum will do, and −∞ − (−∞) does not come up.
        float shift = top == -kInfinity ? 0 : top;
        float factor = exp2_fast(max - shift);
        max = top;
        sum *= factor;
        _Pragma("unroll") for (int s = 0; s < kTiles; s++) {
            for (int i = 0; i < kAcc; i++) {
                score[s][i] = exp2_fast(score[s][i] - shift);
                sum += score[s][i];
            }
        }
        return factor;
    }

    // Adds up the lanes of a query.
    __device__ inline void finish() { sum = lanes_sum<16>(sum); }
};
