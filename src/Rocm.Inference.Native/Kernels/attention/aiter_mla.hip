// What stands before and after AITER's MLA decode, whose cache has pages of one token and whose queries are dense and of an equal number a sequence.
//
// aiter_mla_prepare: the cache row of every token of the context, packed, with the offsets of the sequences, which all layers of a step share; and the queries
// of a layer, latent and rotary part joined, heads that AITER lacks as zeros. A row with fewer query tokens than the longest has them at the end, where the
// kernel's mask counts from; before are zeros. A launch does either or both.
// Work: group (x, y) = kChunkTokens of the context of row y, or, from table_groups on, 256 vectors of the row's queries. Every group of a table adds up the
// lengths before its row. Bytes: the table once, a block's number for each of its tokens, the queries twice.
//
// aiter_mla_amax, aiter_mla_quantize: the queries for a kernel over an fp8 cache, joined as above and divided by one scale, the largest magnitude of the launch
// over that of fp8; and the scale. The first leaves the largest of what each of its groups looked at, the second takes the largest of those: whatever order
// the groups have, the scale is the same. What is not finite does not count, and is NaN. Work: up to 256 groups share the vectors of the queries; then 256 vectors a group. Bytes: the queries twice, a half.
//
// aiter_mla_reduce: the splits of a token and head, weighed by their LSE, as one result. A split has tiles s, s + S, …: one whose first tile the token does not
// see holds nothing, or garbage. Work: a wave for each token and head. Bytes: the valid partials once, the result once.
#include "../common/wave.h"

constexpr int kPrepareThreads = 256;
constexpr int kChunkTokens = 1024;
constexpr int kReduceWaves = 4;
constexpr int kReduceThreads = kReduceWaves * kWave;
constexpr int kLatentDim = 512;
constexpr int kRowDim = 576;
constexpr int kRowVectors = kRowDim / 8;

// Host: AiterLatentKernels.cs has the same fields. Strides in elements.
struct AiterMlaArgs {
    const u16* query;        // [T, N, 512]
    const u16* rope;         // [T, N, 64]
    i64 token_stride, head_stride, rope_token_stride, rope_head_stride;
    const int* cu_seqlens;   // of the first row of this launch
    const int* seq_lens;
    const int* block_table;
    i64 block_table_stride;
    int* kv_offsets;         // [R + 1]
    int* query_offsets;      // [R + 1]
    int* split_offsets;      // [R + 1]
    int* page_lengths;       // [R]: ones
    int* kv_rows;            // the cache row of every token
    u16* joined;             // [R, L, padded N, 576]
    const float* partials;   // [R, L, S, padded N, 512]
    const float* partial_lse;
    u16* output;             // [T, N, 512]
    i64 output_token_stride, output_head_stride;
    float* lse;              // [N, T], or null
    i64 lse_head_stride;
    float* maxima;           // [num_maxima]
    float* scales;           // of the queries, and 1 for a cache without
    int num_rows, query_len, num_heads, padded_heads;
    int block_size, rows_per_block, num_splits, kv_tile, table_groups, num_maxima, fp8_type, unused;
};

// Lengths of the rows before a row: a sum of whole numbers, the same in any order.
DEVICE int tokens_before(const AiterMlaArgs& args, int row, int* scratch) {
    int sum = 0;
    for (int r = thread_index(); r < row; r += kPrepareThreads) sum += args.seq_lens[r];
    scratch[thread_index()] = sum;
    group_barrier();
    for (int half = kPrepareThreads / 2; half > 0; half /= 2) {
        if (thread_index() < half) scratch[thread_index()] += scratch[thread_index() + half];
        group_barrier();
    }
    return scratch[0];
}

DEVICE void write_table(const AiterMlaArgs& args, int chunk, int row, int* scratch) {
    int length = args.seq_lens[row], first = chunk * kChunkTokens;
    if (chunk > 0 && first >= length) return;
    int before = tokens_before(args, row, scratch);
    if (chunk == 0 && thread_index() == 0) {
        args.page_lengths[row] = 1;
        args.kv_offsets[row] = before;
        if (row == args.num_rows - 1) args.kv_offsets[row + 1] = before + length;
    }
    const int* blocks = args.block_table + row * args.block_table_stride;
    int end = min_of(length, first + kChunkTokens);
    for (int position = first + thread_index(); position < end; position += kPrepareThreads)
        args.kv_rows[before + position] = blocks[(u32)position / (u32)args.block_size] * args.rows_per_block + (int)((u32)position % (u32)args.block_size);
}

// The offsets of the queries of a row, and of its splits.
DEVICE void write_query_offsets(const AiterMlaArgs& args, int row) {
    for (int i = row; i <= row + (row == args.num_rows - 1 ? 1 : 0); i++) {
        args.query_offsets[i] = i * args.query_len;
        args.split_offsets[i] = i * args.num_splits;
    }
}

// Eight elements of a head of a row's query; zeros where it has no such token or head.
DEVICE u32x4 query_vector(const AiterMlaArgs& args, int row, int place, int head, int c) {
    int first = args.cu_seqlens[row], end = args.cu_seqlens[row + 1], token = end - args.query_len + place;
    u32x4 value = {0, 0, 0, 0};
    if (token < first || head >= args.num_heads) return value;
    return load16(c < kLatentDim ? args.query + token * args.token_stride + head * args.head_stride + c
                                 : args.rope + token * args.rope_token_stride + head * args.rope_head_stride + (c - kLatentDim));
}

DEVICE void join_query(const AiterMlaArgs& args, int group, int row) {
    int item = group * kPrepareThreads + thread_index(), columns = args.query_len * args.padded_heads;
    if (item >= columns * kRowVectors) return;
    if (item == 0) write_query_offsets(args, row);
    int c = item % kRowVectors * 8, column = item / kRowVectors;
    store16(args.joined + ((i64)row * columns * kRowVectors + item) * 8, query_vector(args, row, column / args.padded_heads, column % args.padded_heads, c));
}

template <class A> DEVICE void find_largest(const AiterMlaArgs& args, float* scratch) {
    i64 items = (i64)args.num_rows * args.query_len * args.num_heads * kRowVectors;
    float largest = 0;
    for (i64 item = (i64)group_x() * kPrepareThreads + thread_index(); item < items; item += (i64)args.num_maxima * kPrepareThreads) {
        int c = (int)(item % kRowVectors) * 8, head = (int)(item / kRowVectors % args.num_heads);
        int column = (int)(item / kRowVectors / args.num_heads);
        u32x4 values = query_vector(args, column / args.query_len, column % args.query_len, head, c);
        for (int i = 0; i < 8; i++) {
            u16 value = (u16)(values[i / 2] >> (i % 2 * 16));
            if (A::is_finite(value)) largest = __builtin_fmaxf(largest, __builtin_fabsf(A::widen(value)));
        }
    }
    largest = group_max<kPrepareThreads>(largest, scratch);
    if (thread_index() == 0) args.maxima[group_x()] = largest;
}

template <class A> DEVICE void quantize_query(const AiterMlaArgs& args, int group, int row, float* scratch) {
    float largest = group_max<kPrepareThreads>(thread_index() < args.num_maxima ? args.maxima[thread_index()] : 0, scratch);
    float scale = largest > 0 ? largest / (args.fp8_type == kFp8E4M3Fn ? 448.0f : 240.0f) : 1;
    if (group == 0 && row == 0 && thread_index() == 0) {
        args.scales[0] = scale;
        args.scales[1] = 1;
    }
    int item = group * kPrepareThreads + thread_index(), columns = args.query_len * args.padded_heads;
    if (item >= columns * kRowVectors) return;
    if (item == 0) write_query_offsets(args, row);
    int c = item % kRowVectors * 8, column = item / kRowVectors;
    u32x4 values = query_vector(args, row, column / args.padded_heads, column % args.padded_heads, c);
    u32x2 bytes = {0, 0};
    for (int i = 0; i < 8; i++) {
        u16 value = (u16)(values[i / 2] >> (i % 2 * 16));
        bytes[i / 4] |= (u32)round_fp8(A::is_finite(value) ? A::widen(value) / scale : __builtin_nanf(""), args.fp8_type) << (i % 4 * 8);
    }
    *(u32x2*)((u8*)args.joined + ((i64)row * columns * kRowVectors + item) * 8) = bytes;
}

KERNEL(kPrepareThreads) aiter_mla_prepare(AiterMlaArgs args) {
    __shared__ int scratch[kPrepareThreads];
    if (group_x() < args.table_groups) write_table(args, group_x(), group_y(), scratch);
    else join_query(args, group_x() - args.table_groups, group_y());
}

template <class A> DEVICE void reduce(const AiterMlaArgs& args) {
    i64 item = (i64)group_x() * kReduceWaves + wave_index();
    int head = (int)(item % args.num_heads), place = (int)(item / args.num_heads % args.query_len), row = (int)(item / args.num_heads / args.query_len);
    if (row >= args.num_rows) return;
    int left = args.query_len - 1 - place;  // tokens of the row that follow
    i64 token = args.cu_seqlens[row + 1] - 1 - left;
    if (token < args.cu_seqlens[row]) return;
    int visible = args.seq_lens[row] - left, splits = min_of(args.num_splits, (visible + args.kv_tile - 1) / args.kv_tile);
    i64 first = ((i64)row * args.query_len + place) * args.num_splits * args.padded_heads + head;
    const float* lse = args.partial_lse + first;
    const float* partials = args.partials + first * kLatentDim;

    float max = -kInfinity, sum = 0;
    for (int s = 0; s < splits; s++) max = __builtin_fmaxf(max, lse[s * args.padded_heads]);
    float shift = max == -kInfinity ? 0 : max;
    for (int s = 0; s < splits; s++) sum += exp_fast(lse[s * args.padded_heads] - shift);
    float factor = sum == 0 ? 0 : 1 / sum;
    u16* output = args.output + token * args.output_token_stride + head * args.output_head_stride;
    for (int d = lane_index() * 4; d < kLatentDim; d += kWave * 4) {
        f32x4 value = {0, 0, 0, 0};
        for (int s = 0; s < splits; s++) {
            float weight = exp_fast(lse[s * args.padded_heads] - shift);
            value += *(const f32x4*)(partials + (i64)s * args.padded_heads * kLatentDim + d) * weight;
        }
        *(u32x2*)(output + d) = {pack2(A::round(value[0] * factor), A::round(value[1] * factor)), pack2(A::round(value[2] * factor), A::round(value[3] * factor))};
    }
    if (args.lse != nullptr && lane_index() == 0) args.lse[head * args.lse_head_stride + token] = sum == 0 ? -kInfinity : max + log2_fast(sum) * kLn2;
}

// T: the activation type.
KERNEL(kPrepareThreads) aiter_mla_amax(AiterMlaArgs args) {
    __shared__ float scratch[kPrepareThreads / kWave];
    find_largest<T>(args, scratch);
}

KERNEL(kPrepareThreads) aiter_mla_quantize(AiterMlaArgs args) {
    __shared__ float scratch[kPrepareThreads / kWave];
    quantize_query<T>(args, group_x(), group_y(), scratch);
}

KERNEL(kReduceThreads) aiter_mla_reduce(AiterMlaArgs args) { reduce<T>(args); }
