// Rows of activations as AITER's products of fp8 matrices read them: E4M3 FNUZ, and a scale for 128 columns.
//
// The scale is the group's largest magnitude / 240, the largest of the type, and no smaller than the smallest normal f32, so that zeros have one. What is not
// finite does not count for the scale and becomes NaN, which every product with the row is then.
//
// Work: 16 neighbouring lanes take a group of 128 columns, 8 elements each; a group of 256 threads 16 of those, over all rows.
// Bytes: 16 read and 8 written a lane; scales 1/32 of what is written.
#include "../common/fp8.h"
#include "../common/wave.h"

struct QuantizeRowsArgs {
    const u16* x;       // [rows, K], rows at multiples of 16 bytes
    u8* elements;       // [rows, K]
    float* scales;      // [K / 128, rows]
    i64 x_stride;       // in elements
    int num_rows;
    int num_leaves;     // K / 128
};

constexpr int kQuantizeThreads = 256;
constexpr int kLeafColumns = 128, kOwnColumns = 8, kLeafLanes = kLeafColumns / kOwnColumns;
constexpr float kLargestFnuz = 240.0f, kSmallestNormal = 0x1p-126f;

template <class A> DEVICE void quantize_leaf(const QuantizeRowsArgs& args) {
    // Lanes past the end go on with the last group, since all take part in the exchange.
    int leaves = args.num_rows * args.num_leaves, index = group_x() * (kQuantizeThreads / kLeafLanes) + thread_index() / kLeafLanes;
    int leaf = min_of(index, leaves - 1), row = leaf / args.num_leaves, first = leaf % args.num_leaves;
    i64 column = (i64)first * kLeafColumns + thread_index() % kLeafLanes * kOwnColumns;
    u32x4 x = load16(args.x + row * args.x_stride + column);
    float values[kOwnColumns];
    float largest = 0;
    _Pragma("unroll") for (int i = 0; i < kOwnColumns; i++) {
        u16 bits = (u16)(x[i / 2] >> (i % 2 * 16));
        values[i] = A::is_finite(bits) ? A::widen(bits) : __builtin_nanf("");
        largest = __builtin_fmaxf(largest, __builtin_fabsf(values[i]));   // of a number and NaN the number
    }
    largest = __builtin_fmaxf(largest, lane_xor<1>(largest));
    largest = __builtin_fmaxf(largest, lane_xor<2>(largest));
    largest = __builtin_fmaxf(largest, lane_xor<4>(largest));
    largest = __builtin_fmaxf(largest, lane_xor<8>(largest));
    float scale = __builtin_fmaxf(largest / kLargestFnuz, kSmallestNormal), inverse = 1.0f / scale;
    _Pragma("unroll") for (int i = 0; i < kOwnColumns; i++) values[i] *= inverse;
    u32x2 rounded = {round4_fnuz(values), round4_fnuz(values + 4)};
    if (index >= leaves) return;
    *(u32x2*)(args.elements + (i64)row * args.num_leaves * kLeafColumns + column) = rounded;
    if (thread_index() % kLeafLanes == 0) args.scales[(i64)first * args.num_rows + row] = scale;
}

// T: the activation type.
KERNEL(kQuantizeThreads) quantize_rows(QuantizeRowsArgs args) { quantize_leaf<T>(args); }
