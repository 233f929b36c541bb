// y = x · Wᵀ + bias over one weight, one weight a head, or one weight an expert: what linear_skinny and linear_tiled share.
//
// A weight is [N, K] with K padded by zeros to 64 elements, so that a row starts at a multiple of 32 bytes or more and needs no tail. Products
// are taken as Yᵀ[N, rows] = W · Xᵀ: a lane then owns one row of x and neighbouring outputs.
//
// One order of sums for every number of rows: leaves of 128 columns, each summed by the matrix units from 0 on, 32 columns at a time; the leaves,
// times their scale where weights have such, are added one after the other. Both kernels keep to it, so that a row has the same bits in any batch.
#pragma once
#include "../common/fp8.h"
#include "../common/matrix.h"

// Host: Linear.cs has the same fields.
struct LinearArgs {
    const u16* x;          // [rows, K], or [rows, heads, K]
    const u8* weights;     // members one after the other
    const void* scales;    // 8-bit floats: f32 [N, ceil(K / 128)] of each member, shuffled ones [N / 128, K / 128]. MXFP4: exponents [N, ceil(K / 32)]. Else null
    const float* bias;     // [N] of each member, or null
    void* y;               // [rows, N], or [rows, heads, N]
    const int* offsets;    // experts: [E + 1]; null: one member, or one a head
    const int* order;      // experts: source row of sorted row i is order[i] / top_k; null: i
    i64 x_row_stride, x_head_stride, y_row_stride, y_head_stride;   // in elements
    i64 member_bytes;      // of weights
    i64 row_bytes;         // of a weight's row
    int num_members;       // experts; 1 otherwise
    int num_rows;
    int n;
    int k;
    int top_k;
    int weight_type;       // Fp8
    int accumulate;
    int is_f32;            // y is f32, else of the activation type
};

constexpr int kLeaf = 128;

// Eight 8-bit floats as elements of the activation type.
template <class A, int kType> DEVICE u32x4 widen8(u32x2 words) {
    u32x2 low = widen4<A, kType>(words[0]), high = widen4<A, kType>(words[1]);
    return {low[0], low[1], high[0], high[1]};
}

// Weights of the activation type.
template <class A> struct Weight16 {
    static constexpr int kScaleRows = 0;
    const u8* row;
    DEVICE Weight16 of(const LinearArgs& args, i64 member, int n) { return {args.weights + member * args.member_bytes + n * args.row_bytes}; }
    __device__ inline u32x4 load8(int k) const { return load16(row + 2 * k); }
};

// 8-bit floats: exact in the activation type; the scales go on the f32 sums. The type is one of LinearArgs: see WeightsOf.
template <class A> struct Weight8 {};

template <class A, int kType> struct Weight8Of {
    static constexpr int kScaleRows = 1;
    const u8* row;
    DEVICE Weight8Of of(const LinearArgs& args, i64 member, int n) { return {args.weights + member * args.member_bytes + n * args.row_bytes}; }
    __device__ inline u32x4 load8(int k) const { return widen8<A, kType>(*(const u32x2*)(row + k)); }
};

// E4M3 FNUZ with scales of blocks of 128 × 128 as AITER's kernels read both (AiterScaledWeight.cs): [N / 16, K / 16, 16, 16], so that 32 columns of 16 rows are
// 512 bytes in a row.
template <class A> struct Weight8Shuffled {
    static constexpr int kScaleRows = 128;
    const u8* row;
    DEVICE Weight8Shuffled of(const LinearArgs& args, i64 member, int n) {
        return {args.weights + member * args.member_bytes + (n & ~15) * args.row_bytes + (n & 15) * 16};
    }
    __device__ inline u32x4 load8(int k) const { return widen8<A, kFp8E4M3Fnuz>(*(const u32x2*)(row + (k & ~15) * 16 + (k & 15))); }
};

// MXFP4: 2 exponent bits, 1 mantissa bit, and a power of two for 32 columns (255: not a number): exact in bf16.
template <class A> struct Weight4 {
    static constexpr int kScaleRows = 0;
    const u8* row;
    const u8* exponents;
    DEVICE Weight4 of(const LinearArgs& args, i64 member, int n) {
        return {args.weights + member * args.member_bytes + n * args.row_bytes, (const u8*)args.scales + (member * args.n + n) * ceil_div(args.k, 32)};
    }
    DEVICE float widen(u32 code) {
        u32 exponent = (code >> 1) & 3, mantissa = code & 1;
        float magnitude = exponent == 0 ? 0.5f * (float)mantissa : as_f32(((exponent + 126) << 23) | (mantissa << 22));
        return (code & 8) != 0 ? -magnitude : magnitude;
    }
    __device__ inline u32x4 load8(int k) const {
        u32 word = *(const u32*)(row + k / 2);
        int exponent = exponents[k / 32];
        float scale = exponent == 255 ? __builtin_nanf("") : power_of_two(exponent - 127);
        u32x4 result;
        for (int i = 0; i < 4; i++) {
            u32 pair = word >> (8 * i);
            result[i] = pack2(A::round(widen(pair & 15) * scale), A::round(widen((pair >> 4) & 15) * scale));
        }
        return result;
    }
};

// Runs a kernel for a class of weights. Types of 8-bit floats are told apart here, once: a type that is looked at for every element costs more than all else.
template <class W> struct WeightsOf {
    template <class Run> DEVICE void run(const LinearArgs&, Run run) { run(W{}); }
};
template <class A> struct WeightsOf<Weight8<A>> {
    template <class Run> DEVICE void run(const LinearArgs& args, Run run) {
        if (args.weight_type == kFp8E4M3Fn) run(Weight8Of<A, kFp8E4M3Fn>{});
        else if (args.weight_type == kFp8E4M3Fnuz) run(Weight8Of<A, kFp8E4M3Fnuz>{});
        else run(Weight8Of<A, kFp8E5M2>{});
    }
};

// The scale of output n's leaf at column k: every kScaleRows outputs have one. 0: leaves have no scales.
template <int kScaleRows> DEVICE float leaf_scale(const LinearArgs& args, i64 member, int n, int k) {
    if constexpr (kScaleRows == 0) return 1;
    else return n < args.n ? ((const float*)args.scales)[(member * args.n + n) / kScaleRows * ceil_div(args.k, kLeaf) + k / kLeaf] : 0;
}

// One more leaf. Both kernels add this way: what the compiler contracts may not differ between them.
template <bool kScaled> DEVICE float add_leaf(float total, float leaf, float scale) {
    return kScaled ? __builtin_fmaf(leaf, scale, total) : total + leaf;
}

// Rows of a work item: kRows rows of one member. Numbered so that expert e starts at offsets[e] / kRows + e; surplus numbers are empty.
struct RowBlock {
    int member;
    int first;   // sorted row
    int count;   // 0: nothing to do

    template <int kRows> DEVICE RowBlock find(const LinearArgs& args, int index) {
        if (args.offsets == nullptr) {
            int first = index * kRows;
            return {0, first, max_of(0, min_of(kRows, args.num_rows - first))};
        }
        int low = 0, high = args.num_members - 1;
        while (low < high) {
            int middle = (low + high + 1) / 2;
            if (args.offsets[middle] / kRows + middle <= index) low = middle;
            else high = middle - 1;
        }
        int first = args.offsets[low] + (index - args.offsets[low] / kRows - low) * kRows;
        return {low, first, max_of(0, min_of(kRows, args.offsets[low + 1] - first))};
    }
};

// Eight elements of a row of x; zeros past K.
DEVICE u32x4 load_x8(const u16* row, int k, int end) {
    if (k + 8 <= end && ((u64)(row + k) & 15) == 0) return load16(row + k);
    u32x4 result;
    for (int i = 0; i < 4; i++) {
        u16 low = k + 2 * i < end ? row[k + 2 * i] : (u16)0, high = k + 2 * i + 1 < end ? row[k + 2 * i + 1] : (u16)0;
        result[i] = pack2(low, high);
    }
    return result;
}

DEVICE const u16* source_row(const LinearArgs& args, int row, int head) {
    int source = args.order == nullptr ? row : args.order[row] / args.top_k;
    return args.x + source * args.x_row_stride + head * args.x_head_stride;
}

template <class Out> DEVICE void write_as(const LinearArgs& args, i64 at, float value) {
    typename Out::storage* y = (typename Out::storage*)args.y + at;
    if (args.accumulate) value += Out::widen(*y);
    *y = Out::round(value);
}

template <class A> DEVICE void write_y(const LinearArgs& args, i64 member, int row, int head, int n, float value) {
    if (n >= args.n) return;
    if (args.bias != nullptr) value += args.bias[member * args.n + n];
    i64 at = row * args.y_row_stride + head * args.y_head_stride + n;
    if (args.is_f32) write_as<F32>(args, at, value);
    else write_as<A>(args, at, value);
}
