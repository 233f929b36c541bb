// Absorbed latent attention over a paged cache of latent rows [latent, rope key] (IAttentionKernels.MlaDecode): V is the front of the same rows.
//
// Work: group (x, z) = 16 · COLUMNS columns (token, head) of a row, segment of its keys at a fixed absolute position. Steps of 32 keys go through LDS, so that a
// latent row is read once for all columns of the group; kShare waves have one tile of 16 columns and a slice of V's dims each. Scores go
// through LDS too: waves share out the dims and keys of a tile's scores, and every wave adds them up in one order.
// LDS: 32 rows of DIM + 8 elements, the scores, and on RDNA the queries. Bytes: each latent row once per group.
#include "query_tile.h"
#include "row_end.h"
#include "seen_values.h"

// Host: MlaDecode.cs has the same fields.
struct MlaDecodeArgs {
    QueryArgs query;
    KvTensor cache;
    const int* block_table;
    i64 block_table_stride;
    const int* seq_lens;
    u16* output;         // [T, N, L]
    i64 output_token_stride, output_head_stride;
    float* lse;          // [N, T], or null
    i64 lse_head_stride;
    float* partials;     // [groups, segments, columns, 4 + L]: maximum, sum, unused, sums of V; used when num_segments > 1
    float scale;
    int block_size;
    int segment_len;     // a multiple of 32
    int num_segments;
    int first_group;     // of this launch
    int unused;
};

constexpr int kMlaWaves = kWave == 64 ? 4 : 8;
constexpr int kMlaThreads = kMlaWaves * kWave;
constexpr int kMlaKeys = 32;
constexpr int kParts = kMlaWaves / 2;           // parts of the dims of a score: with 2 tiles of keys one for each wave
constexpr int kShare = kMlaWaves / COLUMNS;     // waves of a tile of columns
constexpr int kSlice = VDIM / kShare;
constexpr int kChunks = DIM / 32;
constexpr int kPartChunks = (kChunks + kParts - 1) / kParts;
constexpr int kRowStride = DIM + 8;             // 16 bytes more: rows start in different banks
constexpr int kScoreStride = kMlaKeys + 4;
constexpr bool kQueryInLds = kWave == 32;
constexpr int kVec = kFragK != 16 && kSlice % 128 == 0 ? 8 : kSlice % 64 == 0 ? 4 : 2;
constexpr int kSlab = 16 * kVec;
constexpr int kOut = kSlice / 16;
constexpr int kLoads = kMlaKeys * (DIM / 8) / kMlaThreads;
static_assert(kMlaKeys * (DIM / 8) % kMlaThreads == 0 && kSlice % kSlab == 0 && (kQueryInLds || kChunks % kParts == 0));

struct MlaLds {
    __attribute__((aligned(16))) u16 keys[kMlaKeys * kRowStride];
    __attribute__((aligned(16))) float scores[COLUMNS * kParts * 16 * kScoreStride];
    __attribute__((aligned(16))) u16 queries[kQueryInLds ? 16 * kRowStride : 8];
    i64 rows[kMlaKeys];  // elements from the cache's start to the rows of the next step
};
static_assert(sizeof(MlaLds) <= 65536);

// The columns of a group. Groups are numbered so that row r starts at cu[r]·N / width + r: surplus numbers are empty.
struct MlaGroup {
    QueryTile tile;  // of the first 16 columns
    int prefix, end; // position of the row's first query; keys that the last column sees

    DEVICE MlaGroup find(const MlaDecodeArgs& args, int group) {
        MlaGroup result;
        QueryTile& tile = result.tile;
        tile = QueryTile::find<16 * COLUMNS>(args.query, group);
        result.prefix = args.seq_lens[tile.row] - tile.query_len;
        result.end = result.prefix + min_of(tile.query_len - 1, (tile.first_column + 16 * COLUMNS - 1) / args.query.gqa_ratio) + 1;
        return result;
    }
};

template <class A, class Kv> struct MlaWave {
    typedef typename Kv::Raw8 Raw;

    const MlaDecodeArgs& args;
    MlaLds& lds;
    const MlaGroup& group;
    int column_tile, share;   // the wave's
    Frag32 query[kQueryInLds ? 1 : COLUMNS == 1 ? kPartChunks : kChunks];
    Raw ahead[kLoads];
    Acc out[kOut];
    float max, sum;
    int limit;                // keys that the lane's column sees

    // Where the rows of the step at position first are.
    __device__ inline void find_rows(int first, int end) {
        int t = thread_index();
        if (t >= kMlaKeys) return;
        int position = min_of(first + t, end - 1);
        const int* blocks = args.block_table + group.tile.row * args.block_table_stride;
        lds.rows[t] = blocks[(u32)position / (u32)args.block_size] * args.cache.block_stride + (u32)position % (u32)args.block_size * args.cache.token_stride;
    }

    __device__ inline void load_ahead(int first, int end) {
        int thread = hidden(thread_index());
        _Pragma("unroll") for (int i = 0; i < kLoads; i++) {
            int piece = i * kMlaThreads + thread, key = piece / (DIM / 8), c = piece % (DIM / 8) * 8;
            ahead[i] = Raw{};
            if (first + key < end && c < args.query.head_dim) ahead[i] = load_global<Raw>(args.cache.base + (lds.rows[key] + c) * Kv::kBytes);
        }
    }

    __device__ inline void store_ahead() {
        int thread = hidden(thread_index());
        _Pragma("unroll") for (int i = 0; i < kLoads; i++) {
            int piece = i * kMlaThreads + thread, key = piece / (DIM / 8), c = piece % (DIM / 8) * 8;
            store16(lds.keys + key * kRowStride + c, Kv::widen(ahead[i]));
        }
    }

    __device__ inline float* scores_of(int part) { return lds.scores + ((column_tile * kParts + part) * 16 + tile_lane()) * kScoreStride; }

    // Scores of 16 keys over a part of the dims.
    template <int kFirstFrag> __device__ inline void score(int tile, int part) {
        Acc acc = acc_zero();
        const u16* keys = lds.keys + (16 * tile + tile_lane()) * kRowStride;
        _Pragma("unroll") for (int j = 0; j < kPartChunks; j++) {
            int k = part * kPartChunks + j;
            if (kChunks % kParts != 0 && k >= kChunks) continue;
            finish_before_loads(acc);
            if constexpr (kQueryInLds) acc = mma32<A>(load_frag32(keys + 32 * k), load_frag32(lds.queries + tile_lane() * kRowStride + 32 * k), acc);
            else acc = mma32<A>(load_frag32(keys + 32 * k), query[kFirstFrag + j], acc);
        }
        float* scores = scores_of(part) + 16 * tile;
        for (int i = 0; i < kAcc; i++) scores[acc_row(i)] = acc[i];
    }

    __device__ inline void step(int first, float scale, bool uneven) {
        if constexpr (COLUMNS == 1) {
            score<0>(wave_index() % 2, wave_index() / 2);
            group_barrier();
        } else {
            _Pragma("unroll") for (int tile = 0; tile < 2; tile++) {
                score<0>(tile, 0);
                score<kPartChunks>(tile, 1);
            }
            wave_sync();
        }

        float p[2][kFragK], largest = -kInfinity;
        u32 seen[2] = {0, 0};
        _Pragma("unroll") for (int s = 0; s < 2; s++) {
            _Pragma("unroll") for (int i = 0; i < kFragK; i++) {
                float x = 0;
                _Pragma("unroll") for (int part = 0; part < kParts; part++) x += scores_of(part)[16 * s + frag_k(i)];
                bool visible = first + 16 * s + frag_k(i) < limit;
                seen[s] |= (visible ? 1u : 0u) << i;
                p[s][i] = visible ? x * scale : -kInfinity;
                largest = __builtin_fmaxf(largest, p[s][i]);
                if (i % 4 == 3) finish_before_loads(largest);
            }
        }
        // On gfx11 both halves of the wave hold all keys of their column.
        if constexpr (kFragK != 16) largest = lanes_max<16>(largest);
        float top = __builtin_fmaxf(max, largest), shift = top == -kInfinity ? 0 : top, factor = exp2_fast(max - shift);
        max = top;
        sum *= factor;
        if (lanes_any(factor != 1)) {
            _Pragma("unroll") for (int o = 0; o < kOut; o++) {
                finish_product(out[o]);
                out[o] *= factor;
                finish_product(out[o]);
            }
        }
        // All weights before the values: as halves they take half the registers.
        Frag weights[2];
        _Pragma("unroll") for (int s = 0; s < 2; s++) {
            _Pragma("unroll") for (int i = 0; i < kFragK; i++) {
                p[s][i] = exp2_fast(p[s][i] - shift);
                sum += p[s][i];
            }
            _Pragma("unroll") for (int i = 0; i < kFragK / 2; i++) weights[s].w[i] = pack2(A::round(p[s][2 * i]), A::round(p[s][2 * i + 1]));
        }
        finish_first(sum, weights[1].w[kFragK / 2 - 1]);
        _Pragma("unroll") for (int s = 0; s < 2; s++) add_values(s, weights[s], uneven, seen[s]);
    }

    __device__ inline void add_values(int tile, Frag weights, bool uneven, u32 seen) {
        _Pragma("unroll") for (int slab = 0; slab < kSlice / kSlab; slab++) {
            finish_before_loads(out[slab == 0 ? 0 : slab * kVec - 1]);
            u32 words[kFragK][kVec / 2];
            _Pragma("unroll") for (int t = 0; t < kFragK; t++) {
                const u16* address = lds.keys + (16 * tile + frag_k(t)) * kRowStride + share * kSlice + slab * kSlab + tile_lane() * kVec;
                _Pragma("unroll") for (int i = 0; i < kVec / 2; i += kVec == 8 ? 4 : kVec / 2) {
                    if constexpr (kVec == 8) {
                        u32x4 v = load16(address);
                        for (int w = 0; w < 4; w++) words[t][w] = v[w];
                    } else if constexpr (kVec == 4) {
                        u32x2 v = *(const u32x2*)address;
                        for (int w = 0; w < 2; w++) words[t][w] = v[w];
                    } else {
                        words[t][0] = *(const u32*)address;
                    }
                }
            }
            if (uneven) {
                u32 infinite = 0;
                for (int t = 0; t < kFragK; t++) {
                    for (int i = 0; i < kVec / 2; i++) infinite |= find_infinite<A>(words[t][i]);
                }
                if (lanes_any(infinite != 0)) {
                    constexpr u32 one = __is_same(A, BF16) ? 0x3F80u : 0x3C00u;
                    Frag sees;
                    for (int i = 0; i < kFragK / 2; i++) sees.w[i] = (seen >> (2 * i) & 1) * one | (seen >> (2 * i + 1) & 1) * (one << 16);
                    _Pragma("unroll") for (int j = 0; j < kVec; j++) {
                        finish_product(out[slab * kVec + j]);
                        add_infinite<A>(column_of(words, j), sees, weights, out[slab * kVec + j]);
                        finish_product(out[slab * kVec + j]);
                    }
                    for (int t = 0; t < kFragK; t++) {
                        for (int i = 0; i < kVec / 2; i++) words[t][i] = finite2<A>(words[t][i]);
                    }
                }
            }
            _Pragma("unroll") for (int j = 0; j < kVec; j++) {
                out[slab * kVec + j] = mma<A>(column_of(words, j), weights, out[slab * kVec + j]);
                finish_product(out[slab * kVec + j]);
                finish_first(out[slab * kVec + j], weights.w[0]);
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

    // kVec dims from first_dim(slab, i) on are element i of the slab's accumulators.
    __device__ inline int first_dim(int slab, int i) const { return share * kSlice + slab * kSlab + acc_row(i) * kVec; }
};

DEVICE float* partial_row(const MlaDecodeArgs& args, int group, int segment, int column) {
    return args.partials + (((i64)(group - args.first_group) * args.num_segments + segment) * (16 * COLUMNS) + column) * (4 + args.query.dim);
}

template <class A> DEVICE void attend(const MlaDecodeArgs& args, MlaLds& lds) {
    typedef MlaWave<A, KvOf<A, CACHE>> Wave;
    int group_index = args.first_group + group_x(), segment = group_z();
    MlaGroup group = MlaGroup::find(args, group_index);
    int begin = segment * args.segment_len;
    if (group.tile.is_empty || begin >= group.end) return;
    int end = args.num_segments == 1 ? group.end : min_of(group.end, begin + args.segment_len);

    Wave wave = {args, lds, group, wave_index() / kShare, wave_index() % kShare};
    QueryTile tile = group.tile;
    tile.first_column += 16 * wave.column_tile;
    bool has_column = tile.has_column(args.query);
    wave.limit = has_column ? group.prefix + tile.token(args.query) + 1 : 0;
    wave.find_rows(begin, end);
    if constexpr (kQueryInLds) {
        for (int c = thread_index() / 16 * 8; c < DIM; c += kMlaThreads / 16 * 8) store16(lds.queries + tile_lane() * kRowStride + c, load_query8(args.query, tile, 0, c));
    } else {
        int part = COLUMNS == 1 ? wave_index() / 2 : 0;
        _Pragma("unroll") for (int j = 0; j < (COLUMNS == 1 ? kPartChunks : kChunks); j++) {
            u32x4 loads[kLoad32];
            for (int i = 0; i < kLoad32; i++) loads[i] = load_query8(args.query, tile, 0, 32 * (part * kPartChunks + j) + load32_k(i));
            wave.query[j] = make_frag32(loads);
        }
    }
    _Pragma("unroll") for (int o = 0; o < kOut; o++) wave.out[o] = acc_zero();
    wave.max = -kInfinity;
    wave.sum = 0;
    float scale = args.scale * kv_scale(args.cache, 0) * kLog2E;
    int first_limit = group.prefix + group.tile.first_column / args.query.gqa_ratio + 1;
    group_barrier();
    wave.load_ahead(begin, end);
    for (int first = begin; first < end; first += kMlaKeys) {
        group_barrier();
        wave.store_ahead();
        wave.find_rows(first + kMlaKeys, end);
        group_barrier();
        if (first + kMlaKeys < end) wave.load_ahead(first + kMlaKeys, end);
        wave.step(first, scale, first + kMlaKeys > first_limit && first_limit != group.end);
    }
    if constexpr (kFragK != 16) wave.sum = lanes_sum<16>(wave.sum);

    tile.first_column = hidden(tile.first_column);
    if (!tile.has_column(args.query)) return;
    int rank = args.query.dim;
    if (args.num_segments > 1) {
        float* partial = partial_row(args, group_index, segment, 16 * wave.column_tile + tile_lane());
        if (tile_half() == 0 && wave.share == 0) {
            partial[0] = wave.max;
            partial[1] = wave.sum;
        }
        _Pragma("unroll") for (int slab = 0; slab < kSlice / kSlab; slab++) {
            _Pragma("unroll") for (int i = 0; i < kAcc; i++) {
                int d = wave.first_dim(slab, i);
                if (d >= rank) continue;
                for (int j = 0; j < kVec; j++) partial[4 + d + j] = wave.out[slab * kVec + j][i];
            }
        }
        return;
    }
    RowEnd done = RowEnd::make(wave.max, wave.sum, false, 0);
    float factor = done.factor * kv_scale(args.cache, 0);
    i64 token = tile.first_token + tile.token(args.query), head = tile.head(args.query, 0);
    u32* output = (u32*)(args.output + token * args.output_token_stride + head * args.output_head_stride);
    _Pragma("unroll") for (int slab = 0; slab < kSlice / kSlab; slab++) {
        _Pragma("unroll") for (int i = 0; i < kAcc; i++) {
            int d = wave.first_dim(slab, i);
            if (d >= rank) continue;
            for (int j = 0; j < kVec; j += 2) output[(d + j) / 2] = pack2(A::round(wave.out[slab * kVec + j][i] * factor), A::round(wave.out[slab * kVec + j + 1][i] * factor));
        }
    }
    if (args.lse != nullptr && wave.share == 0 && tile_half() == 0) args.lse[head * args.lse_head_stride + token] = done.lse;
}

// Merges the segments of a column: each wave has one.
template <class A> DEVICE void reduce(const MlaDecodeArgs& args) {
    int index = group_x() * kMlaWaves + wave_index(), group_index = args.first_group + index / (16 * COLUMNS), column = index % (16 * COLUMNS);
    MlaGroup group = MlaGroup::find(args, group_index);
    if (group.tile.is_empty || group.tile.first_column + column >= group.tile.query_len * args.query.gqa_ratio) return;
    int num_segments = (group.end + args.segment_len - 1) / args.segment_len;
    float max = -kInfinity, sum = 0;
    for (int s = 0; s < num_segments; s++) max = __builtin_fmaxf(max, partial_row(args, group_index, s, column)[0]);
    float shift = max == -kInfinity ? 0 : max;
    for (int s = 0; s < num_segments; s++) {
        const float* partial = partial_row(args, group_index, s, column);
        sum += partial[1] * exp2_fast(partial[0] - shift);
    }
    RowEnd done = RowEnd::make(max, sum, false, 0);
    float factor = done.factor * kv_scale(args.cache, 0);
    i64 token = group.tile.first_token + (group.tile.first_column + column) / args.query.gqa_ratio, head = (group.tile.first_column + column) % args.query.gqa_ratio;
    u16* output = args.output + token * args.output_token_stride + head * args.output_head_stride;
    for (int d = lane_index() * 4; d < args.query.dim; d += kWave * 4) {
        f32x4 value = {0, 0, 0, 0};
        for (int s = 0; s < num_segments; s++) {
            const float* partial = partial_row(args, group_index, s, column);
            value += *(const f32x4*)(partial + 4 + d) * exp2_fast(partial[0] - shift);
        }
        *(u32x2*)(output + d) = {pack2(A::round(value[0] * factor), A::round(value[1] * factor)), pack2(A::round(value[2] * factor), A::round(value[3] * factor))};
    }
    if (args.lse != nullptr && lane_index() == 0) args.lse[head * args.lse_head_stride + token] = done.lse;
}

// T: the activation type; CACHE: −1, or the Fp8 type of the cache; DIM, VDIM: dims of a row and of its latent part, at most; COLUMNS: tiles of 16 columns.
KERNEL(kMlaThreads) mla_decode(MlaDecodeArgs args) {
    __shared__ MlaLds lds;
    attend<T>(args, lds);
}

KERNEL(kMlaThreads) mla_reduce(MlaDecodeArgs args) { reduce<T>(args); }
