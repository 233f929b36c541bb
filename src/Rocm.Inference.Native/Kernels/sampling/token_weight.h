// What sampling counts in: the order of logits as whole numbers, and weights e^((x − max) / T) as fixed-point numbers, whose sums are exact in any
// order, so that a draw depends on nothing but the logits.
#pragma once
#include "../common/scan.h"

// An unsigned number in the order of the floats; both zeros have one key.
DEVICE u32 key_of(float logit) {
    u32 bits = as_u32(logit + 0.0f);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

DEVICE float logit_of(u32 key) { return as_f32(key & 0x80000000u ? key & 0x7FFFFFFFu : ~key); }

constexpr u32 kKeyOfLowest = ~0xFF7FFFFFu;  // of the lowest finite number: what is below is forbidden

// e^y for y in [−80, 0], rounded as good as correctly: the rest of the reduction and the term in y² are what is rounded in f32, far below the result's
// last bit.
DEVICE float exp_exact(float y) {
    float n = __builtin_rintf(y * kLog2E);
    // ln 2 in two parts; the first has 15 bits, so that its product is exact.
    float high = __builtin_fmaf(n, -0.693145751953125f, y);
    float low = n * -1.42860682030941723212e-6f;
    float r = high + low, rest = low - (r - high);
    float p = __builtin_fmaf(r, 1.9841270e-4f, 1.3888889e-3f);
    p = __builtin_fmaf(p, r, 8.3333333e-3f);
    p = __builtin_fmaf(p, r, 4.1666667e-2f);
    p = __builtin_fmaf(p, r, 1.6666667e-1f);
    p = __builtin_fmaf(p, r, 0.5f);
    // 1 + r + (rest + p · r²): the sum of the first two in two parts.
    float sum = 1.0f + r, lost = r - (sum - 1.0f);
    float value = sum + __builtin_fmaf(p * r, r, lost + rest);
    return as_f32(as_u32(value) + ((u32)(int)n << 23));
}

// A weight in (0, 1] as a multiple of 2^−bits; bits in [23, 60].
DEVICE u64 fixed_point(float weight, int bits) {
    u32 word = as_u32(weight);
    u64 value = (u64)((word & 0x7FFFFFu) | 0x800000u) << (bits - 23);
    int shift = min_of(127 - (int)(word >> 23), 63);
    return (value + ((1ull << shift) >> 1)) >> shift;
}

// The weight of a logit under a temperature. No branch for what is too little to count: few logits are.
struct Weigh {
    float max, inverse_temperature;
    int bits;

    DEVICE_SPECIAL u64 operator()(float logit) const {
        return fixed_point(exp_exact(__builtin_fmaxf((logit - max) * inverse_temperature, -80.0f)), bits);
    }
};
