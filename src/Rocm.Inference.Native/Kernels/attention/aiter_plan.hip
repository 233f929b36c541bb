// Shares the contexts of a step among the blocks of AITER's persistent kernels, from the lengths that the device has: a recorded step follows those it is
// replayed with. Contexts lie one after the other on a line of granules; block w of a KV head gets the granules from start(w) to start(w + 1), equal numbers,
// the first blocks one more. Where a start lies inside a context, the context is cut there, but never so that a query would see nothing of the last stretch:
// kernels give garbage for that. A context that is cut leaves one partial result for each stretch, another none.
//
// Work: one group; a thread for each row and for each block. Bytes: eight words a stretch and KV head.
#include "../common/scan.h"

constexpr int kPlanThreads = 512;
constexpr int kMaxShare = 1024;
constexpr int kItemWords = 8;

// Host: AiterWorkKernels.cs has the same fields.
struct AiterPlanArgs {
    const int* seq_lens;     // [R]
    u64* addresses;          // [2]: of the two that follow, as some kernels want them
    int* work_offsets;       // [W + 1]
    int* items;              // [KV heads, stretches, 8]
    int* first_granules;     // [R + 1]
    int* first_pages;        // [R + 1]
    int* first_segments;     // [R + 1]
    int* first_parts;        // [R + 1]: partial results of each row
    int num_rows, workers, kv_heads, heads_per_kv_head;
    int page_tokens, granule_pages, query_len, unused;
};

struct Plan {
    const AiterPlanArgs& args;
    const int* cuts;  // [share + 1]: contexts that are cut at the starts of the blocks before
    int share, each, more, granules;

    DEVICE_SPECIAL int start(int w) const { return w * each + min_of(w, more); }

    // First block that starts at a granule or after it.
    DEVICE_SPECIAL int first_at(int granule) const {
        int longer = more * (each + 1);
        if (granule <= longer) return (int)ceil_div(granule, each + 1);
        return each == 0 ? share : min_of(share, more + (int)ceil_div(granule - longer, each));
    }

    // The context is cut at the start of a block.
    DEVICE_SPECIAL bool is_cut(int row, int w) const {
        int granule = start(w), first = args.first_granules[row];
        if (w >= share || granule <= first || granule >= args.first_granules[row + 1]) return false;
        return args.seq_lens[row] - (granule - first) * args.granule_pages * args.page_tokens >= args.query_len;
    }

    // The row on whose granules one lies; rows of none have no place there.
    DEVICE_SPECIAL int row_of(int granule) const {
        int low = 0, high = args.num_rows - 1;
        while (low < high) {
            int middle = (low + high + 1) / 2;
            if (args.first_granules[middle] <= granule) low = middle;
            else high = middle - 1;
        }
        return low;
    }

    DEVICE_SPECIAL int cuts_of(int row) const { return cuts[first_at(args.first_granules[row + 1])] - cuts[first_at(args.first_granules[row])]; }

    // A stretch of a row from a granule on, up to the start of block next where the row is cut there, for every KV head.
    DEVICE_SPECIAL void write(int row, int granule, int segment, int part, int next, int segments) const {
        int first = args.first_granules[row], pages = args.first_pages[row + 1] - args.first_pages[row];
        int begin = (granule - first) * args.granule_pages, end = is_cut(row, next) ? (start(next) - first) * args.granule_pages : pages;
        int left = args.seq_lens[row] - end * args.page_tokens;
        for (int head = 0; head < args.kv_heads; head++) {
            int* item = args.items + ((i64)head * segments + segment) * kItemWords;
            item[0] = row;
            item[1] = part < 0 ? -1 : part * args.query_len;
            item[2] = row * args.query_len;
            item[3] = (row + 1) * args.query_len;
            item[4] = args.first_pages[row] + begin;
            item[5] = args.first_pages[row] + end;
            item[6] = max_of(0, left);
            item[7] = head * args.heads_per_kv_head | (head + 1) * args.heads_per_kv_head << 16;
        }
    }
};

KERNEL(kPlanThreads) aiter_plan(AiterPlanArgs args) {
    __shared__ int cuts[kMaxShare + 1];
    __shared__ u64 scratch[kPlanThreads / kWave];
    int granules = 0, pages = 0, rows = 0;
    for (int base = 0; base < args.num_rows; base += kPlanThreads) {
        int row = base + thread_index(), row_pages = row < args.num_rows ? (int)ceil_div(args.seq_lens[row], args.page_tokens) : 0;
        u64 row_granules = (u64)ceil_div(row_pages, args.granule_pages), total;
        u64 before = group_prefix<kPlanThreads>(row_granules | (u64)(row_pages > 0) << 32, scratch, total);
        if (row < args.num_rows) {
            args.first_granules[row] = granules + (int)before;
            args.first_segments[row] = rows + (int)(before >> 32);
        }
        granules += (int)total;
        rows += (int)(total >> 32);
        before = group_prefix<kPlanThreads>((u64)row_pages, scratch, total);
        if (row < args.num_rows) args.first_pages[row] = pages + (int)before;
        pages += (int)total;
    }
    if (thread_index() == 0) {
        args.first_granules[args.num_rows] = granules;
        args.first_segments[args.num_rows] = rows;
        args.first_pages[args.num_rows] = pages;
        args.addresses[0] = (u64)args.work_offsets;
        args.addresses[1] = (u64)args.items;
    }
    group_barrier();

    int share = args.workers / args.kv_heads;
    Plan plan = {args, cuts, share, granules / share, granules % share, granules};
    int before_chunk = 0;
    for (int base = 0; base < share; base += kPlanThreads) {
        int w = base + thread_index();
        u64 total, before = group_prefix<kPlanThreads>(w < share && plan.start(w) < granules && plan.is_cut(plan.row_of(plan.start(w)), w), scratch, total);
        if (w < share) cuts[w] = before_chunk + (int)before;
        before_chunk += (int)total;
    }
    if (thread_index() == 0) cuts[share] = before_chunk;
    group_barrier();

    int segments = rows + before_chunk, parts = 0;
    for (int base = 0; base < args.num_rows; base += kPlanThreads) {
        int row = base + thread_index(), cut = row < args.num_rows ? plan.cuts_of(row) : 0;
        u64 total, before = group_prefix<kPlanThreads>((u64)(cut > 0 ? cut + 1 : 0), scratch, total);
        if (row < args.num_rows) {
            int granule = args.first_granules[row], part = parts + (int)before;
            args.first_parts[row] = part;
            if (granule < args.first_granules[row + 1])
                plan.write(row, granule, args.first_segments[row] + cuts[plan.first_at(granule)], cut > 0 ? part : -1, plan.first_at(granule + 1), segments);
        }
        parts += (int)total;
    }
    if (thread_index() == 0) args.first_parts[args.num_rows] = parts;
    group_barrier();

    for (int w = thread_index(); w <= args.workers; w += kPlanThreads) {
        int head = min_of(w / share, args.kv_heads), own = w - head * share;
        if (head == args.kv_heads) {
            args.work_offsets[w] = args.kv_heads * segments;
            continue;
        }
        int granule = plan.start(own), row = 0;
        int before = rows;
        if (granule < granules) {
            row = plan.row_of(granule);
            before = args.first_segments[row] + (args.first_granules[row] < granule ? 1 : 0);
        }
        args.work_offsets[w] = head * segments + before + cuts[own];
        if (head > 0 || granule >= granules || !plan.is_cut(row, own)) continue;
        int stretch = cuts[own] - cuts[plan.first_at(args.first_granules[row])] + 1;
        plan.write(row, granule, before + cuts[own], args.first_parts[row] + stretch, own + 1, segments);
    }
}

// Packs the block numbers of the rows, as kernels want them whose pages are blocks. Group (x, y) = 256 blocks of row y.
struct AiterPackArgs {
    const int* block_table;
    i64 block_table_stride;
    const int* first_pages;  // [R + 1]
    int* pages;
};

constexpr int kPackThreads = 256;

KERNEL(kPackThreads) aiter_pack_blocks(AiterPackArgs args) {
    int row = group_y(), first = args.first_pages[row], page = group_x() * kPackThreads + thread_index();
    if (page < args.first_pages[row + 1] - first) args.pages[first + page] = args.block_table[row * args.block_table_stride + page];
}

// Merges the partial results of rows that were cut, weighed by their LSE, and copies those that were not where they lie apart. A wave for each token and head.
struct AiterMergeArgs {
    const int* cu_seqlens;   // [R + 1]
    const int* first_parts;  // [R + 1]
    const float* partials;   // [parts, L, padded heads, dim]
    const float* partial_lse;
    const u16* whole;        // [R, L, padded heads, dim], or null: they are in the output
    u16* output;
    i64 output_token_stride, output_head_stride;
    int num_rows, query_len, num_heads, padded_heads, dim, unused;
};

constexpr int kMergeWaves = 4;

template <class A> DEVICE void merge(const AiterMergeArgs& args) {
    i64 item = (i64)group_x() * kMergeWaves + wave_index();
    int head = (int)(item % args.num_heads), place = (int)(item / args.num_heads % args.query_len), row = (int)(item / args.num_heads / args.query_len);
    if (row >= args.num_rows) return;
    i64 token = args.cu_seqlens[row + 1] - args.query_len + place;
    if (token < args.cu_seqlens[row]) return;
    u16* output = args.output + token * args.output_token_stride + head * args.output_head_stride;
    int first = args.first_parts[row], parts = args.first_parts[row + 1] - first;
    if (parts == 0) {
        if (args.whole == nullptr) return;
        const u16* whole = args.whole + (((i64)row * args.query_len + place) * args.padded_heads + head) * args.dim;
        for (int d = lane_index() * 8; d < args.dim; d += kWave * 8) store16(output + d, load16(whole + d));
        return;
    }
    i64 step = (i64)args.query_len * args.padded_heads, at = first * step + (i64)place * args.padded_heads + head;
    const float* lse = args.partial_lse + at;
    const float* partials = args.partials + at * args.dim;
    float max = -kInfinity, sum = 0;
    for (int p = 0; p < parts; p++) max = __builtin_fmaxf(max, lse[p * step]);
    float shift = max == -kInfinity ? 0 : max;
    for (int p = 0; p < parts; p++) sum += exp_fast(lse[p * step] - shift);
    float factor = sum == 0 ? 0 : 1 / sum;
    for (int d = lane_index() * 4; d < args.dim; d += kWave * 4) {
        f32x4 value = {0, 0, 0, 0};
        for (int p = 0; p < parts; p++) value += *(const f32x4*)(partials + p * step * args.dim + d) * exp_fast(lse[p * step] - shift);
        *(u32x2*)(output + d) = {pack2(A::round(value[0] * factor), A::round(value[1] * factor)), pack2(A::round(value[2] * factor), A::round(value[3] * factor))};
    }
}

// T: the activation type.
KERNEL(kMergeWaves * kWave) aiter_merge(AiterMergeArgs args) { merge<T>(args); }
