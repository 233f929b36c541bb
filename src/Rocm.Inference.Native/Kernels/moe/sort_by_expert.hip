// Sorts the assignments of tokens to experts by expert, stable: IKernels.SortByExpert. A counting sort in one group: a thread owns some experts and
// looks at every assignment twice, from LDS, where all threads read the same word. Steps are short (decode: a few hundred assignments); 16 384 of a
// full prefill step take some tens of microseconds beside products that take milliseconds.
//
// LDS: 1024 assignments and one count a thread.
#include "../common/wave.h"

struct SortByExpertArgs {
    const int* experts;   // [count]
    int* offsets;         // [E + 1]
    int* order;           // [count]
    int* places;          // [count]
    int count, num_experts;
};

constexpr int kSortThreads = 512, kSortTile = 1024;

KERNEL(kSortThreads) sort_by_expert(SortByExpertArgs args) {
    __shared__ int tile[kSortTile];
    __shared__ int counts[kSortThreads * 2];
    int thread = thread_index();
    // At most 1024 experts: two a thread.
    int own[2] = {thread, thread + kSortThreads}, count[2] = {0, 0};
    for (int first = 0; first < args.count; first += kSortTile) {
        int size = min_of(kSortTile, args.count - first);
        group_barrier();
        for (int i = thread; i < size; i += kSortThreads) tile[i] = args.experts[first + i];
        group_barrier();
        for (int i = 0; i < size; i++) {
            for (int j = 0; j < 2; j++) count[j] += tile[i] == own[j];
        }
    }
    for (int j = 0; j < 2; j++) counts[own[j]] = count[j];
    group_barrier();
    if (thread == 0) {
        int sum = 0;
        for (int e = 0; e < args.num_experts; e++) {
            args.offsets[e] = sum;
            int next = sum + counts[e];
            counts[e] = sum;
            sum = next;
        }
        args.offsets[args.num_experts] = sum;
    }
    group_barrier();
    int next[2] = {counts[own[0]], counts[own[1]]};
    for (int first = 0; first < args.count; first += kSortTile) {
        int size = min_of(kSortTile, args.count - first);
        group_barrier();
        for (int i = thread; i < size; i += kSortThreads) tile[i] = args.experts[first + i];
        group_barrier();
        for (int i = 0; i < size; i++) {
            for (int j = 0; j < 2; j++) {
                if (tile[i] != own[j]) continue;
                args.order[next[j]] = first + i;
                args.places[first + i] = next[j]++;
            }
        }
    }
}
