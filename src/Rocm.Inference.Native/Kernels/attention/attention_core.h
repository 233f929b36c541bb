// The inner loop that all attention kernels share: one wave, 16 query rows, any stretch of keys.
//
// Products are taken transposed: Sᵀ[keys, queries] = K · Qᵀ and Oᵀ[dims, queries] += Vᵀ · Pᵀ. A lane then owns one query (column lane % 16): its
// maximum, its sum and the factor that rescales its part of O are its own, and P is the B operand of the second product as it comes out of the
// first (matrix.h). Online softmax in base 2 (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018).
// A query row is a query token and one head of the KV head's group.
#pragma once
#include "kv_reader.h"

// What is the same for all query rows of a launch.
struct ScoreRule {
    float scale;       // includes K's scale
    float soft_cap;    // 0 = none
    int window;        // keys that a query sees at most; 0x7FFFFFFF = all
    int causal;
};

// One lane's query.
struct QueryLane {
    int position;      // absolute
    float slope;       // ALiBi; 0 = none
    bool is_there;     // false: a column past the row's last query; everything is masked
};

DEVICE bool is_visible(const ScoreRule& rule, int query, int key) {
    return (!rule.causal || key <= query) && query - key < rule.window;
}

// kDim, kVDim: dims rounded up to 32 and to 16·kVec; loads past head_dim and v_dim are left out.
template <class T, class Reader, int kDim, int kVDim> struct AttentionWave {
    // Dims of V that a lane loads at once: its rows of the Vᵀ operands are (lane % 16)·kVec + j of a slab of 16·kVec.
    static constexpr int kVec = kFragK == 16 || kVDim % 128 != 0 ? 4 : 8;
    static constexpr int kSlab = Reader::kValuesByDims ? 16 : 16 * kVec;
    static constexpr int kTiles = kVDim / 16;
    static constexpr int kSteps = kWave == 64 ? 2 : 1;  // tiles of 16 keys for one rescaling: registers decide
    static constexpr int kKeys = 16 * kSteps;

    Acc out[kTiles];
    float max;    // of this lane's query, in base 2
    float sum;    // over this lane's keys only: lanes of a query are added up at the end

    __device__ inline void clear() {
        for (int i = 0; i < kTiles; i++) out[i] = acc_zero();
        max = -kInfinity;
        sum = 0;
    }

    // Dim of V that element i of accumulator tile stands for.
    __device__ static inline int out_dim(int tile, int i) {
        if constexpr (Reader::kValuesByDims) return tile * 16 + acc_row(i);
        return tile / kVec * kSlab + acc_row(i) * kVec + tile % kVec;
    }

    // Keys [first, end); first is a multiple of kKeys below low, which is the first key that may be loaded. query(k) gives the B operand of dims
    // [32k, 32k + 32).
    template <class Query>
    __device__ inline void attend(const Reader& reader, const ScoreRule& rule, QueryLane lane, Query query, int first, int low, int end, int head_dim, int v_begin, int v_dim) {
        for (int tile = first; tile < end; tile += kKeys) {
            Acc score[kSteps];
            for (int s = 0; s < kSteps; s++) score[s] = scores(reader, query, tile + 16 * s, low, end, head_dim);
            float largest = -kInfinity;
            for (int s = 0; s < kSteps; s++) {
                for (int i = 0; i < kAcc; i++) {
                    int key = tile + 16 * s + acc_row(i);
                    float x = score[s][i] * rule.scale;
                    if (rule.soft_cap > 0) x = rule.soft_cap * tanh_fast(x / rule.soft_cap);
                    x = (x + lane.slope * (float)(key - lane.position)) * kLog2E;
                    bool visible = lane.is_there && key >= low && key < end && is_visible(rule, lane.position, key);
                    score[s][i] = visible ? x : -kInfinity;
                    largest = __builtin_fmaxf(largest, score[s][i]);
                }
            }
            largest = lanes_max<16>(largest);
            float new_max = __builtin_fmaxf(max, largest);
            // Nothing seen yet: any finite maximum will do, and −∞ − (−∞) does not come up.
            float shift = new_max == -kInfinity ? 0 : new_max;
            float factor = exp2_fast(max - shift);
            max = new_max;
            sum *= factor;
            _Pragma("unroll") for (int i = 0; i < kTiles; i++) out[i] *= factor;
            for (int s = 0; s < kSteps; s++) {
                for (int i = 0; i < kAcc; i++) {
                    score[s][i] = exp2_fast(score[s][i] - shift);
                    sum += score[s][i];
                }
                add_values(reader, from_acc<T>(score[s]), tile + 16 * s, low, end, v_begin, v_dim);
            }
        }
    }

    // Adds up the lanes of a query.
    __device__ inline void finish() { sum = lanes_sum<16>(sum); }

    // Another wave's state of the same queries, keys after this one's.
    __device__ inline void merge(float other_max, float other_sum, float& own_factor, float& other_factor) {
        float new_max = __builtin_fmaxf(max, other_max);
        float shift = new_max == -kInfinity ? 0 : new_max;
        own_factor = exp2_fast(max - shift);
        other_factor = exp2_fast(other_max - shift);
        max = new_max;
        sum = sum * own_factor + other_sum * other_factor;
    }

private:
    __device__ static inline float tanh_fast(float x) {
        float e = exp_fast(-2.0f * __builtin_fabsf(x));
        return __builtin_copysignf((1.0f - e) * rcp_fast(1.0f + e), x);
    }

    template <class Query>
    __device__ inline Acc scores(const Reader& reader, Query query, int tile, int low, int end, int head_dim) {
        Acc acc = acc_zero();
        int position = tile + tile_lane();
        bool in_range = position >= low && position < end;
        _Pragma("unroll") for (int k = 0; k < kDim / 32; k++) {
            u32x4 loads[kLoad32];
            for (int i = 0; i < kLoad32; i++) {
                int c = 32 * k + load32_k(i);
                loads[i] = in_range && c < head_dim ? reader.key8(position, c) : u32x4{0, 0, 0, 0};
            }
            acc = mma32<T>(make_frag32(loads), query(k), acc);
        }
        return acc;
    }

    __device__ inline void add_values(const Reader& reader, Frag p, int tile, int low, int end, int v_begin, int v_dim) {
        if constexpr (Reader::kValuesByDims) add_values_by_dims(reader, p, tile, low, end, v_begin, v_dim);
        else add_values_by_tokens(reader, p, tile, low, end, v_begin, v_dim);
    }

    // A lane loads kVec dims of each of its tokens and pairs up tokens: a transpose in registers.
    __device__ inline void add_values_by_tokens(const Reader& reader, Frag p, int tile, int low, int end, int v_begin, int v_dim) {
        _Pragma("unroll") for (int slab = 0; slab < kVDim / kSlab; slab++) {
            int c = slab * kSlab + tile_lane() * kVec;
            u32 words[kFragK][kVec / 2];
            for (int t = 0; t < kFragK; t++) {
                int position = tile + frag_k(t);
                bool load = position >= low && position < end && c < v_dim;
                if constexpr (kVec == 8) {
                    u32x4 v = load ? reader.value8(position, v_begin + c) : u32x4{0, 0, 0, 0};
                    for (int i = 0; i < 4; i++) words[t][i] = v[i];
                } else {
                    u32x2 v = load ? reader.value4(position, v_begin + c) : u32x2{0, 0};
                    for (int i = 0; i < 2; i++) words[t][i] = v[i];
                }
            }
            _Pragma("unroll") for (int j = 0; j < kVec; j++) {
                Frag a;
                for (int t = 0; t < kFragK / 2; t++) {
                    u32 even = words[2 * t][j / 2], odd = words[2 * t + 1][j / 2];
                    a.w[t] = j % 2 == 0 ? (even & 0xFFFFu) | (odd << 16) : (even >> 16) | (odd & 0xFFFF0000u);
                }
                int o = slab * kVec + j;
                out[o] = mma<T>(a, p, out[o]);
            }
        }
    }

    // Tokens lie next to each other already. Tokens out of range are loaded where their vector has one in range, and then cleared.
    __device__ inline void add_values_by_dims(const Reader& reader, Frag p, int tile, int low, int end, int v_begin, int v_dim) {
        _Pragma("unroll") for (int o = 0; o < kTiles; o++) {
            int c = o * 16 + tile_lane();
            Frag a = load_tokens(reader, tile, low, end, v_begin + c, c < v_dim);
            out[o] = mma<T>(a, p, out[o]);
        }
    }

    __device__ static inline u32 keep_in_range(u32 word, int position, int low, int end) {
        if (position < low || position >= end) word &= 0xFFFF0000u;
        if (position + 1 < low || position + 1 >= end) word &= 0x0000FFFFu;
        return word;
    }

    __device__ static inline Frag load_tokens(const Reader& reader, int tile, int low, int end, int c, bool in_dims) {
        Frag a;
        if constexpr (kFragK == 4) {
            int position = tile + frag_k(0);
            u32x2 v = in_dims && position < end && position + 4 > low ? reader.tokens4(position, c) : u32x2{0, 0};
            for (int i = 0; i < 2; i++) a.w[i] = keep_in_range(v[i], position + 2 * i, low, end);
        } else if constexpr (kFragK == 8) {
            int position = tile + frag_k(0);
            u32x4 v = in_dims && position < end && position + 8 > low ? reader.tokens8(position, c) : u32x4{0, 0, 0, 0};
            for (int i = 0; i < 4; i++) a.w[i] = keep_in_range(v[i], position + 2 * i, low, end);
        } else {
            u32 words[8];
            for (int h = 0; h < 2; h++) {
                int position = tile + 8 * h;
                u32x4 v = in_dims && position < end && position + 8 > low ? reader.tokens8(position, c) : u32x4{0, 0, 0, 0};
                for (int i = 0; i < 4; i++) words[4 * h + i] = keep_in_range(v[i], position + 2 * i, low, end);
            }
            // Even tokens first, then odd ones: the order of from_acc.
            for (int i = 0; i < 4; i++) {
                u32 x = words[2 * i], y = words[2 * i + 1];
                a.w[i] = (x & 0xFFFFu) | (y << 16);
                a.w[i + 4] = (x >> 16) | (y & 0xFFFF0000u);
            }
        }
        return a;
    }
};
