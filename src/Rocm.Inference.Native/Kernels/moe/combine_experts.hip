// y[t] (+)= Σ_k weights[t, k] · x[places[t · K + k]], in the order of k: IKernels.CombineExperts.
//
// Work: a grid of (columns / 512, tokens), two elements a thread. Bytes: K rows of x and one of y.
#include "../common/wave.h"

struct CombineExpertsArgs {
    const u16* x;           // [T · K, D], sorted
    const int* places;      // [T · K]
    const float* weights;   // [T, K]
    u16* y;                 // [T, D]
    i64 x_stride, y_stride;
    int top_k, columns, accumulate, unused;
};

constexpr int kCombineThreads = 256;

template <class T> DEVICE void combine_experts(const CombineExpertsArgs& args) {
    int token = group_y(), column = (group_x() * kCombineThreads + thread_index()) * 2;
    u16* y = args.y + token * args.y_stride;
    for (int d = column; d < min_of(column + 2, args.columns); d++) {
        float value = args.accumulate ? T::widen(y[d]) : 0;
        for (int k = 0; k < args.top_k; k++)
            value += args.weights[token * args.top_k + k] * T::widen(args.x[args.places[token * args.top_k + k] * args.x_stride + d]);
        y[d] = T::round(value);
    }
}

KERNEL(kCombineThreads) combine_experts_bf16(CombineExpertsArgs args) { combine_experts<BF16>(args); }
KERNEL(kCombineThreads) combine_experts_f16(CombineExpertsArgs args) { combine_experts<F16>(args); }
