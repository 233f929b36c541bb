// Logits to token ids and log-probabilities, in place: ISamplingKernels. The order of operations is that of GenerationOptions, the arithmetic that of the
// CPU's sampler: the same f32 operations up to the weights, sums exact to 2^−44 of the most likely token's weight there and here.
//
// Work: a group of 1024 threads takes a row. Passes over the row, which the cache holds after the first: greedy 1; a plain draw 3; top-k and top-p 3 each
// more, in which only the few elements above a bound, found in the first pass, are counted.
#include "row_search.h"

struct SampleRow {
    float inverse_temperature;   // 0: greedy
    float min_offset;            // T · ln(min-p): what a kept logit may lie below the largest; −∞: any
    float top_p, repetition, presence, frequency;
    int top_k;                   // 0: off
    int num_top;                 // log-probabilities asked for: −1 none
    u64 uniform;                 // the draw, as a multiple of 2^−53
    int history_start, history_end, bias_start, bias_end;
};

struct SampleResult {
    int id;
    float raw_max, max;          // NaN where a logit is
    float raw_logit;             // of the chosen token, before edits
    u64 raw_sum;                 // Σ e^(x − raw_max), a multiple of 2^−bits
};

struct TokenCount { int id, output_count; };
struct TokenBias { int id; float bias; };
struct TopToken { int id; float logit; };

struct SampleArgs {
    float* logits;               // [rows, V]
    const SampleRow* rows;
    const TokenCount* history;   // an id once in a row
    const TokenBias* biases;
    float* raw_logits;           // [history, then biases]: of the tokens that are edited, before that
    SampleResult* results;
    TopToken* top;               // [rows, max_top], largest first
    i64 row_stride;
    int vocabulary, num_history, max_top, bits;
};

struct SampleMemory {
    SearchMemory search;
    float scratch[kSampleWaves];
    TopToken top[128];
    int num_top;
    u32 raw;
};

struct Maximum {
    float value;   // NaN where a logit is
    int id;        // the first of equals
    float own;     // the largest of this thread's share
};

DEVICE Maximum maximum(const Row& row, SampleMemory& memory) {
    float best = -kInfinity, nan = 0;
    int at = row.count;
    row.each([&](int id, float x) {
        if (x > best) {
            best = x;
            at = id;
        }
        if (x != x) nan = 1;
    });
    float max = group_max<kSampleThreads>(best, memory.scratch);
    bool has_nan = group_max<kSampleThreads>(nan, memory.scratch) != 0;
    // Ids are exact in f32 up to 2^24. Where all are −∞ none is found.
    float first = group_max<kSampleThreads>(best == max ? (float)-at : (float)-row.count, memory.scratch);
    return {has_nan ? __builtin_nanf("") : max, (int)-first, best};
}

// A key that at least n logits reach: the n-th of the threads' maxima.
DEVICE u32 reached_by(int n, const Maximum& max, SampleMemory& memory) {
    if (n > kSampleThreads / 2) return 0;
    return select_key(ThreadValues{max.own}, 0, (u64)n, [](float) { return 1ull; }, memory.search).key;
}

// The most likely tokens, of raw logits.
DEVICE void take_top(const Row& row, const SampleRow& params, const Maximum& max, TopToken* top, SampleMemory& memory) {
    int wanted = min_of(params.num_top, row.count);
    if (wanted <= 0) return;
    auto one = [](float) { return 1ull; };
    Selection nth = select_key(row, reached_by(wanted, max, memory), (u64)wanted, one, memory.search);
    // Of those equal to the last, the first by id.
    int last_tie = row.count;
    if (nth.remaining < nth.last)
        last_tie = find_place(row, [&](int, float x) { return (u64)(key_of(x) == nth.key); }, [&](u64) { return nth.remaining - 1; }, memory.search);
    if (thread_index() == 0) memory.num_top = 0;
    group_barrier();
    row.each([&](int id, float x) {
        u32 key = key_of(x);
        if (key < nth.key || (key == nth.key && id > last_tie)) return;
        int place = lds_add(&memory.num_top, 1);
        memory.top[place] = {id, x};
    });
    group_barrier();
    if (thread_index() < wanted) {
        TopToken own = memory.top[thread_index()];
        u32 own_key = key_of(own.logit);
        int rank = 0;
        for (int i = 0; i < wanted; i++) {
            u32 key = key_of(memory.top[i].logit);
            rank += key > own_key || (key == own_key && memory.top[i].id < own.id);
        }
        top[rank] = own;
    }
    group_barrier();
}

DEVICE void apply_edits(const SampleArgs& args, const SampleRow& params, const Row& row) {
    float* raw_history = args.raw_logits;
    float* raw_bias = raw_history + args.num_history;
    for (int i = params.history_start + thread_index(); i < params.history_end; i += kSampleThreads) raw_history[i] = row.logits[args.history[i].id];
    for (int i = params.bias_start + thread_index(); i < params.bias_end; i += kSampleThreads) raw_bias[i] = row.logits[args.biases[i].id];
    group_barrier();
    for (int i = params.bias_start + thread_index(); i < params.bias_end; i += kSampleThreads) {
        // An id may be biased and forbidden: the thread of its first entry applies all, in order.
        int id = args.biases[i].id;
        bool is_first = true;
        for (int j = params.bias_start; j < i; j++) is_first &= args.biases[j].id != id;
        if (!is_first) continue;
        float logit = raw_bias[i];
        for (int j = i; j < params.bias_end; j++) {
            if (args.biases[j].id == id) logit += args.biases[j].bias;
        }
        row.logits[id] = logit;
    }
    group_barrier();
    for (int i = params.history_start + thread_index(); i < params.history_end; i += kSampleThreads) {
#pragma clang fp contract(off)
        TokenCount entry = args.history[i];
        float logit = row.logits[entry.id];
        logit = logit > 0 ? logit / params.repetition : logit * params.repetition;
        if (entry.output_count > 0) logit -= (params.frequency * (float)entry.output_count) + params.presence;
        row.logits[entry.id] = logit;
    }
    group_barrier();
}

// The chosen token's logit as the model gave it.
DEVICE float raw_logit(const SampleArgs& args, const SampleRow& params, const Row& row, int id, SampleMemory& memory) {
    const float* raw_history = args.raw_logits;
    const float* raw_bias = raw_history + args.num_history;
    if (thread_index() == 0) memory.raw = as_u32(row.logits[id]);
    group_barrier();
    // Entries of the same id agree: what was kept is from before all edits.
    auto found = [&](float logit) { lds_exchange(&memory.raw, as_u32(logit)); };
    for (int i = params.history_start + thread_index(); i < params.history_end; i += kSampleThreads) {
        if (args.history[i].id == id) found(raw_history[i]);
    }
    for (int i = params.bias_start + thread_index(); i < params.bias_end; i += kSampleThreads) {
        if (args.biases[i].id == id) found(raw_bias[i]);
    }
    group_barrier();
    return as_f32(memory.raw);
}

// Draws a token by inverting the cumulative distribution in the order of ids.
DEVICE int draw(const SampleRow& params, const Row& row, const Maximum& max, int bits, SampleMemory& memory) {
    Weigh weigh{max.value, params.inverse_temperature, bits};
    // Forbidden tokens have weight 0: a threshold at the lowest finite number keeps them out of every count.
    u32 threshold = max_of(kKeyOfLowest, key_of(max.value + params.min_offset));
    if (params.top_k > 0 && params.top_k < row.count) {
        u32 from = reached_by(params.top_k, max, memory);
        threshold = max_of(threshold, select_key(row, from, (u64)params.top_k, [](float) { return 1ull; }, memory.search).key);
    }
    int last_tie = row.count;
    if (params.top_p < 1) {
        // A few hundred likely tokens nearly always hold the share.
        u32 likely = max_of(threshold, reached_by(256, max, memory));
        u64 sum = 0, sum_likely = 0, total, total_likely;
        row.each([&](int, float x) {
            u32 key = key_of(x);
            u64 weight = key >= threshold ? weigh(x) : 0;
            sum += weight;
            if (key >= likely) sum_likely += weight;
        });
        group_prefix<kSampleThreads>(sum, memory.search.sums, total);
        group_prefix<kSampleThreads>(sum_likely, memory.search.sums, total_likely);
        // At least 1, so that even p = 0 keeps the most likely token.
        u64 share = min_of(total, max_of((u64)1, (u64)((double)total * (double)params.top_p)));
        Selection cut = select_key(row, share <= total_likely ? likely : threshold, share, weigh, memory.search);
        threshold = cut.key;
        // All tokens at the threshold have the same weight; those that are needed are kept by id.
        u64 weight = weigh(logit_of(cut.key));
        if (cut.remaining + weight <= cut.last) {
            u64 needed = (cut.remaining + weight - 1) / weight;
            last_tie = find_place(row, [&](int, float x) { return (u64)(key_of(x) == threshold); }, [&](u64) { return needed - 1; }, memory.search);
        }
    }
    auto kept = [&](int id, float x) {
        u32 key = key_of(x);
        return key > threshold || (key == threshold && id <= last_tie) ? weigh(x) : 0;
    };
    // floor(uniform · total): sums are above the product where they are above this.
    return find_place(row, kept, [&](u64 total) { return (u64)((unsigned __int128)params.uniform * total >> 53); }, memory.search);
}

KERNEL(kSampleThreads) sample(SampleArgs args) {
    __shared__ SampleMemory memory;
    const SampleRow params = args.rows[group_x()];
    Row row{args.logits + group_x() * args.row_stride, args.vocabulary};
    Maximum max = maximum(row, memory);
    SampleResult result = {0, max.value, max.value, 0, 0};
    bool is_edited = params.bias_end > params.bias_start || params.history_end > params.history_start;
    if (__builtin_fabsf(max.value) < kInfinity) {
        if (params.num_top >= 0) {
            Weigh weigh{max.value, 1, args.bits};
            u64 sum = 0;
            row.each([&](int, float x) { sum += weigh(x); });
            group_prefix<kSampleThreads>(sum, memory.search.sums, result.raw_sum);
            take_top(row, params, max, args.top + (i64)group_x() * args.max_top, memory);
        }
        if (is_edited) {
            apply_edits(args, params, row);
            max = maximum(row, memory);
            result.max = max.value;
        }
        if (__builtin_fabsf(max.value) < kInfinity) result.id = params.inverse_temperature == 0 ? max.id : draw(params, row, max, args.bits, memory);
    }
    if (params.num_top >= 0) result.raw_logit = raw_logit(args, params, row, min_of(result.id, args.vocabulary - 1), memory);
    if (thread_index() == 0) args.results[group_x()] = result;
}
