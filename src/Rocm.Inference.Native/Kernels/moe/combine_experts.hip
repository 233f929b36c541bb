// y[t] (+)= Σ_k weights[t, k] · x[places[t · K + k]], in the order of k: IKernels.CombineExperts.
//
// Work: a grid of (tokens, columns / (256 · V)), V elements a thread. Bytes: K rows of x and one of y.
#include "../common/wave.h"

struct CombineExpertsArgs {
    const u16* x;           // [T · K, D], sorted
    const int* places;      // [T · K]
    const float* weights;   // [T, K]
    u16* y;                 // [T, D]
    i64 x_stride, weights_stride, y_stride;
    int top_k, columns, accumulate, unused;
};

constexpr int kCombineThreads = 256;

template <int kElements> struct RowPart {
    u16 elements[kElements];

    DEVICE RowPart load(const u16* row) {
        if constexpr (kElements == 8) return __builtin_bit_cast(RowPart, load16(row));
        else return {row[0]};
    }

    DEVICE void store(u16* row, const RowPart& part) {
        if constexpr (kElements == 8) store16(row, __builtin_bit_cast(u32x4, part));
        else row[0] = part.elements[0];
    }
};

template <class A, int kElements> DEVICE void combine_row(const CombineExpertsArgs& args) {
    typedef RowPart<kElements> Part;
    int token = group_x(), column = (group_y() * kCombineThreads + thread_index()) * kElements;
    if (column >= args.columns) return;
    u16* y = args.y + token * args.y_stride + column;
    float sums[kElements] = {};
#pragma unroll 4
    for (int k = 0; k < args.top_k; k++) {
        float weight = args.weights[token * args.weights_stride + k];
        Part x = Part::load(args.x + args.places[(i64)token * args.top_k + k] * args.x_stride + column);
        for (int i = 0; i < kElements; i++) sums[i] += weight * A::widen(x.elements[i]);
    }
    if (args.accumulate) {
        Part before = Part::load(y);
        for (int i = 0; i < kElements; i++) sums[i] += A::widen(before.elements[i]);
    }
    Part result;
    for (int i = 0; i < kElements; i++) result.elements[i] = A::round(sums[i]);
    Part::store(y, result);
}

// T: the activation type. V: 8 where rows are multiples of 16 bytes, else 1.
KERNEL(kCombineThreads) combine_experts(CombineExpertsArgs args) { combine_row<T, V>(args); }
