// Ops on rows whose elements do not meet: add, scale, soft_cap, gated_activation, gate_rows, gather_rows, embedding.
//
// Work: a grid of (columns / 512, rows) groups of 256 threads, two neighbouring elements a thread. Bytes: each operand once.
#include "../common/wave.h"

constexpr int kElementThreads = 256;

struct ElementwiseArgs {
    const void* x;        // [rows, columns], see each kernel
    const void* other;    // gate, rows or ids
    void* y;
    i64 x_stride, other_stride, y_stride;
    int num_rows, columns;
    int kind;             // ActivationKind
    float factor;         // scale, cap or limit
};

DEVICE int element_row() { return group_y(); }
DEVICE int element_column() { return (group_x() * kElementThreads + thread_index()) * 2; }

template <class T> DEVICE typename T::storage* row_of(const void* base, i64 stride) { return (typename T::storage*)base + element_row() * stride; }

DEVICE float tanh_exact(float x) {
    float e = exp_fast(-2.0f * __builtin_fabsf(x));
    return __builtin_copysignf((1.0f - e) / (1.0f + e), x);
}

// Abramowitz and Stegun 7.1.26 is off by 1.5e-7, below the rounding of the result.
DEVICE float erf_approximate(float x) {
    float a = __builtin_fabsf(x), t = 1.0f / (1.0f + 0.3275911f * a);
    float p = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f) * t;
    return __builtin_copysignf(1.0f - p * exp_fast(-a * a), x);
}

enum Activation : int { kSilu = 0, kGeluTanh = 1, kGelu = 2, kClampedSwiGlu = 3 };

DEVICE float activate(int kind, float gate, float up, float limit) {
    if (kind == kSilu) return gate / (1.0f + exp_fast(-gate)) * up;
    if (kind == kGeluTanh) return 0.5f * gate * (1.0f + tanh_exact(0.7978845608028654f * (gate + 0.044715f * gate * gate * gate))) * up;
    if (kind == kGelu) return 0.5f * gate * (1.0f + erf_approximate(gate * 0.7071067811865476f)) * up;
    gate = __builtin_fminf(gate, limit);
    up = __builtin_fmaxf(__builtin_fminf(up, limit), -limit);
    return gate / (1.0f + exp_fast(-1.702f * gate)) * (up + 1.0f);
}

#define FOR_TWO(body)                                          \
    int column = element_column();                             \
    for (int d = column; d < min_of(column + 2, args.columns); d++) { body }

#define ELEMENTWISE(T, name)                                                                                                                   \
    KERNEL(kElementThreads) add_##name(ElementwiseArgs args) {                                                                                 \
        const T::storage* x = row_of<T>(args.x, args.x_stride);                                                                                \
        T::storage* y = row_of<T>(args.y, args.y_stride);                                                                                      \
        FOR_TWO(y[d] = T::round(T::widen(y[d]) + T::widen(x[d]));)                                                                             \
    }                                                                                                                                          \
    KERNEL(kElementThreads) scale_##name(ElementwiseArgs args) {                                                                               \
        T::storage* y = row_of<T>(args.y, args.y_stride);                                                                                      \
        FOR_TWO(y[d] = T::round(T::widen(y[d]) * args.factor);)                                                                                \
    }                                                                                                                                          \
    KERNEL(kElementThreads) soft_cap_##name(ElementwiseArgs args) {                                                                            \
        T::storage* y = row_of<T>(args.y, args.y_stride);                                                                                      \
        FOR_TWO(y[d] = T::round(args.factor * tanh_exact(T::widen(y[d]) / args.factor));)                                                      \
    }                                                                                                                                          \
    KERNEL(kElementThreads) gated_activation_##name(ElementwiseArgs args) {                                                                    \
        const T::storage* x = row_of<T>(args.x, args.x_stride);                                                                                \
        T::storage* y = row_of<T>(args.y, args.y_stride);                                                                                      \
        FOR_TWO(y[d] = T::round(activate(args.kind, T::widen(x[d]), T::widen(x[args.columns + d]), args.factor));)                             \
    }                                                                                                                                          \
    KERNEL(kElementThreads) gate_rows_##name(ElementwiseArgs args) {                                                                           \
        T::storage* y = row_of<T>(args.y, args.y_stride);                                                                                      \
        float gate = 1.0f / (1.0f + exp_fast(-T::widen(*row_of<T>(args.other, args.other_stride))));                                           \
        FOR_TWO(y[d] = T::round(T::widen(y[d]) * gate);)                                                                                       \
    }                                                                                                                                          \
    KERNEL(kElementThreads) gather_rows_##name(ElementwiseArgs args) {                                                                         \
        const T::storage* x = (const T::storage*)args.x + ((const int*)args.other)[element_row()] * args.x_stride;                             \
        T::storage* y = row_of<T>(args.y, args.y_stride);                                                                                      \
        FOR_TWO(y[d] = x[d];)                                                                                                                  \
    }                                                                                                                                          \
    KERNEL(kElementThreads) embedding_##name(ElementwiseArgs args) {                                                                           \
        const T::storage* x = (const T::storage*)args.x + ((const int*)args.other)[element_row()] * args.x_stride;                             \
        T::storage* y = row_of<T>(args.y, args.y_stride);                                                                                      \
        FOR_TWO(y[d] = T::round(T::widen(x[d]) * args.factor);)                                                                                \
    }

ELEMENTWISE(BF16, bf16)
ELEMENTWISE(F16, f16)
ELEMENTWISE(F32, f32)
