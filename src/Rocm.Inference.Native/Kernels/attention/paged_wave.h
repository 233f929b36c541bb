// One wave: the query columns of a block against a segment of keys.
//
// Products are taken transposed: Sᵀ[keys, columns] = K · Qᵀ and Oᵀ[dims, columns] += Vᵀ · Pᵀ. A lane then owns one column (lane % 16) of each tile: its
// maximum, its sum and the factor that rescales its part of O are its own, and P is the B operand of the second product as it comes out of the
// first (matrix.h). Online softmax in base 2 (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018).
// What a column gets does not depend on the other columns nor on which keys they see: every operation on it is the same, bit for bit.
#pragma once
#include "paged_cache.h"
#include "query_block.h"

// What is the same for all columns of a launch, in base 2.
struct ScoreRule {
    float scale;        // of q · k, K's scale included; with a soft-cap, divided by it
    float soft_cap;     // times log2(e); 0 = none
    const float* slopes;
    int window;         // keys that a query sees at most; 0x7FFFFFFF = all

    // A key so many positions before the query; negative ones come after it.
    __device__ inline bool sees(int distance) const { return (u32)distance < (u32)window; }
};

// The lane's column of a tile.
struct ColumnLane {
    int position;
    float slope;        // ALiBi, times log2(e)
};

// kDim, kVDim: dims of K and of the slice of V, multiples of 8. kColumns: tiles of 16 columns.
template <class A, class Cache, int kDim, int kVDim, int kColumns> struct PagedWave {
    // Dims of V that a lane loads at once, by tokens: its rows of the Vᵀ operands are (lane % 16) · kVec + j of a slab of 16 · kVec.
    static constexpr int kVec = kFragK == 16 || kVDim <= 64 ? 4 : 8;
    static constexpr int kSlab = Cache::kByDims ? 64 : 16 * kVec;
    static constexpr int kTiles = (kVDim + kSlab - 1) / kSlab * kSlab / 16;
    static constexpr int kChunks = (kDim + 31) / 32;

    Acc out[kColumns][kTiles];
    float max[kColumns];
    float sum[kColumns];  // over this lane's keys only: finish adds up the lanes of a column

    // Dim of V that element i of an accumulator stands for: the lane's first one, and what is the same for all lanes.
    DEVICE int first_dim() { return acc_row(0) * (Cache::kByDims ? 1 : kVec); }
    DEVICE constexpr int dim_offset(int tile, int i) {
        if constexpr (Cache::kByDims) return tile * 16 + kAccStep * i;
        return tile / kVec * kSlab + kAccStep * i * kVec + tile % kVec;
    }

    __device__ inline void clear() {
        _Pragma("unroll") for (int n = 0; n < kColumns; n++) {
            _Pragma("unroll") for (int t = 0; t < kTiles; t++) out[n][t] = acc_zero();
            max[n] = -kInfinity;
            sum[n] = 0;
        }
    }

    // Keys [first, end) of a segment, of which some column sees those in range. whole: every column sees all of those.
    template <class Queries>
    __device__ inline void attend(const Cache& cache, const ScoreRule& rule, const ColumnLane* lane, const Queries& queries, int first, int end, KeyRange range, KeyRange whole) {
        first = max_of(first, range.low / kStepKeys * kStepKeys);
        end = min_of(end, range.end);
        _Pragma("nounroll") for (; first < end; first += kStepKeys)
            step(cache, rule, lane, queries, cache.locate(first, range), first >= whole.low && first + kStepKeys <= whole.end);
    }

    // Adds up the lanes of each column.
    __device__ inline void finish() {
        _Pragma("unroll") for (int n = 0; n < kColumns; n++) {
            sum[n] = lanes_sum<16>(sum[n]);
            // Only NaN among the scores: not the same as no keys.
            if (sum[n] != sum[n] && max[n] == -kInfinity) max[n] = 0;
        }
    }

private:
    DEVICE float tanh_fast(float x) {
        float e = exp_fast(-2.0f * __builtin_fabsf(x));
        return __builtin_copysignf((1.0f - e) * rcp_fast(1.0f + e), x);
    }

    typedef typename Cache::Step Step;

    template <class Queries>
    __device__ inline void step(const Cache& cache, const ScoreRule& rule, const ColumnLane* lane, const Queries& queries, const Step& at, bool whole) {
        Acc score[kStepTiles][kColumns];
        _Pragma("unroll") for (int s = 0; s < kStepTiles; s++) scores(cache, at, queries, s, score[s]);
        Frag p[kStepTiles][kColumns];
        _Pragma("unroll") for (int n = 0; n < kColumns; n++) {
            int before = lane[n].position - at.first;
            _Pragma("unroll") for (int s = 0; s < kStepTiles; s++) {
                for (int i = 0; i < kAcc; i++) score[s][n][i] = unfused(score[s][n][i] * rule.scale);
            }
            if (rule.soft_cap > 0 || rule.slopes != nullptr) bend(score, rule, lane[n], n, before);
            if (!whole) {
                _Pragma("unroll") for (int s = 0; s < kStepTiles; s++) {
                    for (int i = 0; i < kAcc; i++) {
                        if (!rule.sees(before - acc_key(s, i))) score[s][n][i] = -kInfinity;
                    }
                }
            }
            float largest = -kInfinity;
            _Pragma("unroll") for (int s = 0; s < kStepTiles; s++) {
                for (int i = 0; i < kAcc; i++) largest = __builtin_fmaxf(largest, score[s][n][i]);
            }
            largest = lanes_max<16>(largest);
            float new_max = __builtin_fmaxf(max[n], largest);
            // Nothing seen yet: any finite maximum will do, and −∞ − (−∞) does not come up.
            float shift = new_max == -kInfinity ? 0 : new_max;
            float factor = exp2_fast(max[n] - shift);
            max[n] = new_max;
            float total = unfused(sum[n] * factor);
            // Of a segment's few steps nearly all raise some column's maximum: no branch.
            _Pragma("unroll") for (int t = 0; t < kTiles; t++) out[n][t] *= factor;
            _Pragma("unroll") for (int s = 0; s < kStepTiles; s++) {
                for (int i = 0; i < kAcc; i++) {
                    score[s][n][i] = exp2_fast(score[s][n][i] - shift);
                    total += score[s][n][i];
                }
                p[s][n] = from_acc<A>(score[s][n]);
            }
            sum[n] = total;
        }
        if constexpr (kFragK == 16) schedule_barrier();
        bool bad = false;
        if (!whole) bad = lanes_any(find_bad(cache, at));
        add_values(cache, at, p, whole, bad);
        if (bad) add_bad(cache, rule, lane, at);
    }

    // Soft-cap and ALiBi.
    __device__ inline static void bend(Acc (*score)[kColumns], const ScoreRule& rule, ColumnLane lane, int n, int before) {
        if (rule.soft_cap > 0) {
            _Pragma("unroll") for (int s = 0; s < kStepTiles; s++) {
                for (int i = 0; i < kAcc; i++) score[s][n][i] = unfused(rule.soft_cap * tanh_fast(score[s][n][i]));
            }
        }
        if (rule.slopes == nullptr) return;
        _Pragma("unroll") for (int s = 0; s < kStepTiles; s++) {
            for (int i = 0; i < kAcc; i++) score[s][n][i] = unfused(__builtin_fmaf(lane.slope, (float)(acc_key(s, i) - before), score[s][n][i]));
        }
    }

    template <class Queries>
    __device__ inline void scores(const Cache& cache, const Step& at, Queries queries, int tile, Acc* score) const {
        // Queries in LDS are to be read where they are used, not kept in registers around the loop.
        if constexpr (Queries::kInLds) queries.lds += hidden(0);
        typename Cache::Row row = cache.key_row(at, step_key(tile, tile_lane()));
        _Pragma("unroll") for (int n = 0; n < kColumns; n++) score[n] = acc_zero();
        _Pragma("unroll") for (int k = 0; k < kChunks; k++) {
            u32x4 loads[kLoad32];
            for (int i = 0; i < kLoad32; i++) {
                int lane = load32_k(0), c = 32 * k + kLoad32Step * i;
                bool is_dim = 32 * k + 32 <= kDim || lane + c < kDim;
                loads[i] = cache.key8(row, is_dim ? lane : 0, is_dim ? c : 0);
                if (!is_dim) loads[i] = u32x4{0, 0, 0, 0};
            }
            Frag32 a = make_frag32(loads);
            _Pragma("unroll") for (int n = 0; n < kColumns; n++) score[n] = mma32<A>(a, queries(n, k), score[n]);
            if constexpr (kFragK == 16) schedule_barrier();
        }
    }

    // P · V. Where not all columns see all keys, V of keys out of range is cleared (by dims it is loaded with its neighbours), and bad elements are.
    __device__ inline void add_values(const Cache& cache, const Step& at, Frag (*p)[kColumns], bool whole, bool bad) {
        u32 mask[kStepTiles][kFragK / 2];
        if constexpr (Cache::kByDims) {
            _Pragma("unroll") for (int s = 0; s < kStepTiles; s++) {
                for (int i = 0; i < kFragK / 2; i++) mask[s][i] = whole ? ~0u : seen_mask(at, step_token(s, 2 * i));
            }
        }
        // By dims: from tile to tile, so that no multiples of the stride are kept for all of them.
        Step now = at;
        _Pragma("unroll") for (int t = 0; t < kTiles; t += kGroup) {
            if constexpr (Cache::kByDims) {
                if (t > 0) cache.skip_dims(now, 16);
            }
            _Pragma("unroll") for (int s = 0; s < kStepTiles; s++) {
                Frag a[kGroup];
                load_values(cache, at, now, s, t, a);
                if constexpr (Cache::kByDims) {
                    for (int i = 0; i < kFragK / 2; i++) a[0].w[i] &= mask[s][i];
                }
                // One branch for all where registers hold all of their operands.
                if (kWave == 64 && bad) {
                    _Pragma("unroll") for (int j = 0; j < kGroup; j++) clear_bad(a[j]);
                }
                _Pragma("unroll") for (int j = 0; j < kGroup; j++) {
                    if (kWave == 32 && bad) clear_bad(a[j]);
                    _Pragma("unroll") for (int n = 0; n < kColumns; n++) {
                        out[n][t + j] = mma<A>(a[j], p[s][n], out[n][t + j]);
                        finish_first(out[n][t + j], p[s][n].w[0]);
                    }
                }
                finish_before_loads(out[kColumns - 1][t + kGroup - 1]);
            }
        }
    }

    // The half words of keys k and k + 1 of a step that are in range.
    DEVICE u32 seen_mask(const Step& at, int k) {
        int key = at.first + k;
        return (key >= at.range.low && key < at.range.end ? 0xFFFFu : 0) | (key + 1 >= at.range.low && key + 1 < at.range.end ? 0xFFFF0000u : 0);
    }

    // Dims lane + c on, of a slab that may reach past the last dim: those take its place, width dims wide.
    DEVICE void clip(int& lane, int& c, int slab, int width) {
        if (c / slab * slab + slab <= kVDim) return;
        lane = min_of(lane + c, kVDim - width);
        c = 0;
    }

    // Operands of V for a score tile and kGroup tiles of dims from t on.
    static constexpr int kGroup = Cache::kByDims ? 1 : kVec;
    typedef typename Cache::Elements Elements;
    typedef typename Pick<kVec == 8, typename Elements::Raw8, typename Elements::Raw4>::type Raw;

    // now: where by dims tile t starts.
    __device__ inline void load_values(const Cache& cache, const Step& at, const Step& now, int s, int t, Frag* a) const {
        if constexpr (Cache::kByDims) {
            bool is_whole = t * 16 + 16 <= kVDim;
            const Step& step = is_whole ? now : at;
            int dim = is_whole ? tile_lane() : min_of(t * 16 + tile_lane(), kVDim - 1);
            if constexpr (kFragK == 16) {
                u32x4 low = cache.tokens8(step, 0, dim), high = cache.tokens8(step, 8, dim);
                for (int i = 0; i < 4; i++) a[0].w[i] = low[i], a[0].w[4 + i] = high[i];
            } else {
                u32x4 words = cache.tokens8(step, step_token(0, 0), dim);
                for (int i = 0; i < kFragK / 2; i++) a[0].w[i] = words[kFragK / 2 * s + i];
            }
        } else {
            // A lane loads kVec dims of each of its keys and pairs up keys: a transpose in registers.
            int c = t / kVec * kSlab, lane = tile_lane() * kVec;
            clip(lane, c, kSlab, kVec);
            Raw raw[kFragK];
            _Pragma("unroll") for (int i = 0; i < kFragK; i++) raw[i] = Cache::template value_raw<Raw>(cache.value_row(at, step_token(s, i)), lane, c);
            _Pragma("unroll") for (int i = 0; i < kFragK / 2; i++) {
                auto even = Elements::widen(raw[2 * i]), odd = Elements::widen(raw[2 * i + 1]);
                _Pragma("unroll") for (int j = 0; j < kVec; j++) {
                    u32 x = even[j / 2], y = odd[j / 2];
                    a[j].w[i] = j % 2 == 0 ? (x & 0xFFFFu) | (y << 16) : (x >> 16) | (y & 0xFFFF0000u);
                }
                // All keys widened at once would not fit registers.
                if constexpr (Elements::kBytes == 1) {
                    for (int j = 0; j < kVec; j++) finish_before_loads(a[j].w[i]);
                }
            }
        }
    }

    // Keys that not all columns see have the weight 0 for the others, but 0 times infinity or NaN is NaN. Where V in range has such an element (bad), it is
    // cleared for the product, and then goes to the columns that see its key: their sums are infinite or NaN, whatever its weight.
    DEVICE bool is_bad(u32 word) { return !A::is_finite((u16)word) || !A::is_finite((u16)(word >> 16)); }

    DEVICE void clear_bad(Frag& a) {
        for (int i = 0; i < kFragK / 2; i++) {
            if (!A::is_finite((u16)a.w[i])) a.w[i] &= 0xFFFF0000u;
            if (!A::is_finite((u16)(a.w[i] >> 16))) a.w[i] &= 0xFFFFu;
        }
    }

    __device__ inline bool find_bad(const Cache& cache, const Step& at) const {
        bool bad = false;
        if constexpr (Cache::kByDims) {
            _Pragma("nounroll") for (int c = lane_index(); c < kVDim; c += kWave) {
                _Pragma("nounroll") for (int k = 0; k < kStepKeys; k += 8) {
                    u32x4 words = cache.tokens8(at, k, c);
                    for (int i = 0; i < 4; i++) bad |= is_bad(words[i] & seen_mask(at, k + 2 * i));
                }
            }
        } else {
            _Pragma("nounroll") for (int k = tile_half(); k < kStepKeys; k += kWave / 16) {
                typename Cache::Row row = cache.value_row(at, k);
                _Pragma("nounroll") for (int c = tile_lane() * 8; c < kVDim; c += 128) {
                    u32x4 words = Cache::value8(row, c, 0);
                    for (int i = 0; i < 4; i++) bad |= is_bad(words[i]);
                }
            }
        }
        return bad;
    }

    __device__ inline void add_bad(const Cache& cache, const ScoreRule& rule, const ColumnLane* lane, const Step& at) {
        _Pragma("nounroll") for (int k = 0; k < kStepKeys; k++) {
            if (at.first + k < at.range.low || at.first + k >= at.range.end) continue;
            typename Cache::Row row = cache.value_row(at, k);
            int first = hidden(first_dim());
            // By tokens: kVec dims that follow one another are the same element of kVec tiles.
            _Pragma("unroll") for (int t = 0; t < kTiles; t += kGroup) {
                _Pragma("unroll") for (int i = 0; i < kAcc; i++) {
                    u32x4 words = {0, 0, 0, 0};
                    int c = dim_offset(t, i), own = first;
                    clip(own, c, Cache::kByDims ? 16 : kSlab, Cache::kByDims ? 1 : kVec);
                    if constexpr (Cache::kByDims) {
                        words[0] = cache.value1(row.address(), own + c);
                    } else if constexpr (kVec == 8) {
                        words = Cache::value8(row, own, c);
                    } else {
                        u32x2 four = Cache::value4(row, own, c);
                        words = {four[0], four[1], 0, 0};
                    }
                    _Pragma("unroll") for (int j = 0; j < kGroup; j++) {
                        u16 v = (u16)(words[j / 2] >> (16 * (j % 2)));
                        _Pragma("unroll") for (int n = 0; n < kColumns; n++) {
                            if (!A::is_finite(v) && rule.sees(lane[n].position - at.first - k)) out[n][t + j][i] += A::widen(v);
                        }
                    }
                    schedule_barrier();
                }
            }
        }
    }
};
