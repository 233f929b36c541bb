// y = x · Wᵀ + bias over one weight, one weight a head, or one weight an expert: what linear_skinny and linear_tiled share.
//
// A weight is [N, K] with K padded by zeros to 64 elements, so that a row starts at a multiple of 32 bytes or more and needs no tail. Products
// are taken as Yᵀ[N, rows] = W · Xᵀ: a lane then owns one row of x and neighbouring outputs.
#pragma once
#include "../common/matrix.h"

// Host: LinearKernelArgs.cs has the same fields.
struct LinearArgs {
    const u16* x;          // [rows, K], or [rows, heads, K]
    const u8* weights;     // members one after the other
    const float* scales;   // fp8: [N, ceil(K / 128)] of each member, or null. MXFP4: bytes [N, K / 32]
    const float* bias;     // [N] of each member, or null
    void* y;               // [rows, N], or [rows, heads, N]
    const int* offsets;    // experts: [E + 1]; null: one member, or one a head
    const int* order;      // experts: source row of sorted row i is order[i] / top_k; null: i
    i64 x_row_stride, x_head_stride, y_row_stride, y_head_stride;
    i64 member_bytes;      // of weights
    i64 row_bytes;         // of a weight's row
    int num_members;       // experts; 1 otherwise
    int num_rows;
    int n;
    int k;
    int top_k;
    int weight_type;       // Fp8 type
    int accumulate;
    int unused;
};

// Weights of the activation type.
template <class T> struct Weight16 {
    static constexpr bool kHasBlockScales = false;
    const u8* row;
    DEVICE Weight16 of(const LinearArgs& args, i64 member, int n) { return {args.weights + member * args.member_bytes + n * args.row_bytes}; }
    __device__ inline u32x4 load8(int k) const { return load16(row + 2 * k); }
};

// 8-bit floats in blocks of 128 columns: exact in the activation type; the blocks' scales go on the f32 sums.
template <class T> struct Weight8 {
    static constexpr bool kHasBlockScales = true;
    const u8* row;
    int type;
    DEVICE Weight8 of(const LinearArgs& args, i64 member, int n) { return {args.weights + member * args.member_bytes + n * args.row_bytes, args.weight_type}; }
    __device__ inline u32x4 load8(int k) const {
        u32x2 words = *(const u32x2*)(row + k);
        u32x4 result;
        for (int i = 0; i < 4; i++) {
            u32 word = words[i / 2] >> (i % 2 * 16);
            result[i] = pack2(T::round(widen_fp8((u8)word, type)), T::round(widen_fp8((u8)(word >> 8), type)));
        }
        return result;
    }
};

// MXFP4: 2 exponent bits, 1 mantissa bit, a power of two for 32 columns: exact in bf16.
template <class T> struct Weight4 {
    static constexpr bool kHasBlockScales = false;
    const u8* row;
    const u8* exponents;
    DEVICE Weight4 of(const LinearArgs& args, i64 member, int n) {
        i64 blocks = ceil_div(args.k, 32);
        return {args.weights + member * args.member_bytes + n * args.row_bytes, (const u8*)args.scales + (member * args.n + n) * blocks};
    }
    DEVICE float widen(u32 code) {
        u32 exponent = (code >> 1) & 3, mantissa = code & 1;
        float magnitude = exponent == 0 ? 0.5f * (float)mantissa : as_f32(((exponent + 126) << 23) | (mantissa << 22));
        return (code & 8) != 0 ? -magnitude : magnitude;
    }
    __device__ inline u32x4 load8(int k) const {
        u32 word = *(const u32*)(row + k / 2);
        float scale = power_of_two((int)exponents[k / 32] - 127);
        u32x4 result;
        for (int i = 0; i < 4; i++) result[i] = pack2(T::round(widen((word >> (8 * i)) & 15) * scale), T::round(widen((word >> (8 * i + 4)) & 15) * scale));
        return result;
    }
};

DEVICE float block_scale(const LinearArgs& args, i64 member, int n, int k) {
    return n < args.n ? args.scales[(member * args.n + n) * ceil_div(args.k, 128) + k / 128] : 0;
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

template <class Out> DEVICE void write_y(const LinearArgs& args, i64 member, int row, int head, int n, float value) {
    if (n >= args.n) return;
    if (args.bias != nullptr) value += args.bias[member * args.n + n];
    typename Out::storage* y = (typename Out::storage*)args.y + row * args.y_row_stride + head * args.y_head_stride + n;
    if (args.accumulate) value += Out::widen(*y);
    *y = Out::round(value);
}
