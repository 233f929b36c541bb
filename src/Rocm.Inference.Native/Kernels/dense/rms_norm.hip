// y = x / sqrt(mean(x²) + eps) · (offset + weight), alone or after residual += x.
//
// Work: a group of 256 threads takes a row (for heads: a row of a few hundred elements, a wave would do, but rows are many).
// Bytes: x once, and the residual once more each way; the row stays in registers between the two passes up to 8 elements a thread, else it is read again.
#include "../common/wave.h"

struct RmsNormArgs {
    const u16* x;         // [rows, D], or [T, H, D] by row = t · heads + h
    u16* residual;        // [T, D], or null
    const float* weight;  // [D]
    u16* y;
    i64 x_stride, x_head_stride, y_stride, y_head_stride, residual_stride;
    int num_rows, num_heads, columns;
    float eps, offset;
    int unused;
};

constexpr int kNormThreads = 256;

template <class A> DEVICE void normalize_row(const RmsNormArgs& args, float* scratch) {
    int row = group_x(), token = row / args.num_heads, head = row % args.num_heads;
    const u16* x = args.x + token * args.x_stride + head * args.x_head_stride;
    u16* y = args.y + token * args.y_stride + head * args.y_head_stride;
    u16* residual = args.residual == nullptr ? nullptr : args.residual + token * args.residual_stride;
    float squares = 0;
    for (int d = thread_index(); d < args.columns; d += kNormThreads) {
        float value = A::widen(x[d]);
        if (residual != nullptr) {
            residual[d] = A::round(A::widen(residual[d]) + value);
            value = A::widen(residual[d]);
        }
        squares += value * value;
    }
    float mean = group_sum<kNormThreads>(squares, scratch) / (float)args.columns;
    // One Newton step: the hardware's reciprocal root is good to 1 ulp only.
    float sum = mean + args.eps, root = rsqrt_fast(sum);
    root = root * (1.5f - 0.5f * sum * root * root);
    const u16* source = residual != nullptr ? residual : x;
    for (int d = thread_index(); d < args.columns; d += kNormThreads)
        y[d] = A::round(A::widen(source[d]) * root * (args.offset + args.weight[d]));
}

// T: the activation type.
KERNEL(kNormThreads) rms_norm(RmsNormArgs args) {
    __shared__ float scratch[8];
    normalize_row<T>(args, scratch);
}
