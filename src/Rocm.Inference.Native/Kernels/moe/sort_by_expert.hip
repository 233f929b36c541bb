// Sorts the assignments of tokens to experts by expert, stable: IKernels.SortByExpert. A counting sort in one group: each wave has a stretch of the
// assignments and counters of its own, so that the order of equals needs no atomics; within a wave equals are found by votes on the bits of the expert.
//
// Work: two passes of one group over the assignments (decode: a few hundred, a prefill step: some ten thousand), eight loads of a lane in flight.
// LDS: a counter for each wave and expert.
#include "../common/scan.h"

struct SortByExpertArgs {
    const int* experts;   // [count]
    int* offsets;         // [E + 1]
    int* order;           // [count]
    int* places;          // [count]
    int count, num_experts;
};

constexpr int kSortThreads = 512, kSortWaves = kSortThreads / kWave, kSortBatch = 8;

// Calls visit(assignment, expert, equals) for the wave's stretch, 64 or 32 assignments at a time, in order. Experts that do not exist are left out.
template <class Visit> DEVICE void visit_assignments(const SortByExpertArgs& args, Visit visit) {
    int stretch = (int)ceil_div(ceil_div(args.count, kSortWaves), kWave) * kWave;
    int first = wave_index() * stretch, end = min_of(first + stretch, args.count);
    int bits = args.num_experts > 1 ? 32 - __builtin_clz(args.num_experts - 1) : 0;
    for (; first < end; first += kWave * kSortBatch) {
        int experts[kSortBatch];
        for (int i = 0; i < kSortBatch; i++) {
            int assignment = first + i * kWave + lane_index();
            experts[i] = assignment < end ? args.experts[assignment] : -1;
        }
        for (int i = 0; i < kSortBatch; i++) {
            bool exists = (u32)experts[i] < (u32)args.num_experts;
            Equals equals = Equals::of((u32)experts[i], bits, exists);
            visit(first + i * kWave + lane_index(), exists ? experts[i] : -1, equals);
        }
    }
}

extern __shared__ int sort_counters[];  // [waves, E]

KERNEL(kSortThreads) sort_by_expert(SortByExpertArgs args) {
    __shared__ u64 scratch[kSortWaves];
    int num = args.num_experts, thread = thread_index();
    int* own = sort_counters + wave_index() * num;
    for (int i = thread; i < kSortWaves * num; i += kSortThreads) sort_counters[i] = 0;
    group_barrier();
    visit_assignments(args, [&](int, int expert, const Equals& equals) {
        if (expert >= 0 && equals.before == 0) own[expert] += equals.count;
        wave_sync();
    });
    group_barrier();

    // A counter becomes the place of its wave's next assignment. A thread has neighbouring experts.
    int per_thread = (int)ceil_div(num, kSortThreads), from = thread * per_thread, to = min_of(from + per_thread, num);
    u64 sum = 0, total;
    for (int e = from; e < to; e++) {
        for (int w = 0; w < kSortWaves; w++) sum += (u64)sort_counters[w * num + e];
    }
    int next = (int)group_prefix<kSortThreads>(sum, scratch, total);
    for (int e = from; e < to; e++) {
        args.offsets[e] = next;
        for (int w = 0; w < kSortWaves; w++) {
            int count = sort_counters[w * num + e];
            sort_counters[w * num + e] = next;
            next += count;
        }
    }
    if (thread == 0) args.offsets[num] = (int)total;
    group_barrier();
    visit_assignments(args, [&](int assignment, int expert, const Equals& equals) {
        if (expert >= 0) {
            int place = own[expert] + equals.before;
            args.order[place] = assignment;
            args.places[assignment] = place;
        }
        wave_sync();
        if (expert >= 0 && equals.before == 0) own[expert] += equals.count;
        wave_sync();
    });
}
