// Searches of one group over a row of logits, without a sort: the n-th of an order, by the digits of its keys, and the place where a running sum passes a
// number. All threads of the group call them and get the same result.
#pragma once
#include "token_weight.h"

constexpr int kSampleThreads = 1024, kSampleWaves = kSampleThreads / kWave;
constexpr int kDigitBits = 11, kBins = 1 << kDigitBits;

struct SearchMemory {
    u64 bins[kBins];
    u64 sums[kSampleWaves];
    u64 remaining, last;
    u32 digit;
    int place;
};

// Calls visit(id, logit) for a thread's share of a row, four neighbours at a time where rows lie so.
struct Row {
    float* logits;
    int count;

    template <class Visit> DEVICE_SPECIAL void each(Visit visit) const {
        if ((count & 3) == 0 && ((u64)logits & 15) == 0) {
#pragma unroll 2
            for (int id = thread_index() * 4; id < count; id += kSampleThreads * 4) {
                f32x4 x = *(const f32x4*)(logits + id);
                for (int i = 0; i < 4; i++) visit(id + i, x[i]);
            }
        } else {
#pragma unroll 4
            for (int id = thread_index(); id < count; id += kSampleThreads) visit(id, logits[id]);
        }
    }
};

// One number of each thread.
struct ThreadValues {
    float own;

    template <class Visit> DEVICE_SPECIAL void each(Visit visit) const { visit(thread_index(), own); }
};

struct Selection {
    u32 key;
    u64 remaining;  // what is left of the number asked for, at the elements with this key
    u64 last;       // what these elements have together
};

// The key at which the measures, added up from the largest key down, reach a number that is at least 1 and at most the sum of all. The histogram of a
// digit shows in which bin that is, which is looked at more closely, three times in all. Elements below the key `from` are not counted.
template <class Source, class Measure> DEVICE Selection select_key(const Source& source, u32 from, u64 number, Measure measure, SearchMemory& memory) {
    u32 prefix = 0;
    u64 last = 0;
    for (int high = 32; high > 0; high -= kDigitBits) {
        int low = max_of(high - kDigitBits, 0), width = high - low;
        for (int i = thread_index(); i < kBins; i += kSampleThreads) memory.bins[i] = 0;
        group_barrier();
        source.each([&](int, float logit) {
            u32 key = key_of(logit);
            if (key < from || (high < 32 && (key ^ prefix) >> high != 0)) return;
            lds_add(&memory.bins[(key >> low) & ((1u << width) - 1)], (u64)measure(logit));
        });
        group_barrier();
        // A thread has two neighbouring bins, the highest first.
        u32 upper = kBins - 1 - 2 * thread_index();
        u64 first = memory.bins[upper], second = memory.bins[upper - 1], total;
        u64 before = group_prefix<kSampleThreads>(first + second, memory.sums, total);
        if (before < number && number <= before + first + second) {
            bool is_first = number <= before + first;
            memory.digit = is_first ? upper : upper - 1;
            memory.remaining = number - before - (is_first ? 0 : first);
            memory.last = is_first ? first : second;
        }
        group_barrier();
        prefix |= memory.digit << low;
        number = memory.remaining;
        last = memory.last;
        group_barrier();
    }
    return {prefix, number, last};
}

// The first id at which the running sum of measure(id, logit) is above a number, which is asked for by the sum of all; the row's length if there is none.
// The group halves the row by waves until each thread has one element.
template <class Measure, class Number> DEVICE int find_place(const Row& row, Measure measure, Number number_of, SearchMemory& memory) {
    int first = 0, size = row.count, lane = lane_index(), wave = wave_index();
    u64 number = 0;
    bool is_whole = true;
    do {
        int part = (int)ceil_div(ceil_div(size, kSampleWaves), kWave) * kWave;
        int from = wave * part, to = min_of(from + part, size);
        u64 sum = 0;
#pragma unroll 4
        for (int i = from + lane; i < to; i += kWave) sum += measure(first + i, row.logits[first + i]);
        sum = lanes_total(sum);
        group_barrier();
        if (lane == 0) memory.sums[wave] = sum;
        group_barrier();
        if (is_whole) {
            u64 total = 0;
            for (int w = 0; w < kSampleWaves; w++) total += memory.sums[w];
            number = number_of(total);
            is_whole = false;
        }
        int chosen = 0;
        while (chosen < kSampleWaves - 1 && memory.sums[chosen] <= number) number -= memory.sums[chosen++];
        first += chosen * part;
        size = max_of(min_of(part, size - chosen * part), 0);
    } while (size > kSampleThreads);

    int place = first + thread_index();
    u64 value = thread_index() < size ? measure(place, row.logits[place]) : 0, total;
    u64 before = group_prefix<kSampleThreads>(value, memory.sums, total);
    if (thread_index() == 0) memory.place = row.count;
    group_barrier();
    if (before <= number && number < before + value) memory.place = place;
    group_barrier();
    int found = memory.place;
    group_barrier();
    return found;
}
