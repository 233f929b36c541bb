// Infinity and NaN in V of a key that some queries of a tile see and others do not: 0 · ∞ must not reach the others.
// By whole words, two elements at once: comparisons would take a scalar register for each element.
#pragma once
#include "../common/matrix.h"

constexpr u32 kTopBits = 0x80008000u;

template <class A> struct HalfBits;
template <> struct HalfBits<BF16> { static constexpr int kMantissa = 7; };
template <> struct HalfBits<F16> { static constexpr int kMantissa = 10; };

// The top bit of each half that is infinity or NaN.
template <class A> DEVICE u32 find_infinite(u32 word) {
    constexpr u32 step = 0x00010001u << HalfBits<A>::kMantissa;
    return ((word & (0x80008000u - step)) + step) & kTopBits;
}

template <class A> DEVICE u32 finite2(u32 word) { return word & ~((find_infinite<A>(word) >> 15) * 0xFFFFu); }

// 1 for the keys of a tile of 16 that the lane's query sees, as a B operand. seen: bit i for the key of accumulator row i.
template <class A> DEVICE Frag seen_keys(u32 seen) {
    Acc flags;
    for (int i = 0; i < kAcc; i++) flags[i] = (float)(seen >> i & 1);
    return from_acc<A>(flags);
}

// What the infinities and NaNs of v, 16 dims × 16 keys of V, do to the queries that see their keys with the weights p, of which 0 makes NaN of infinity.
template <class A> DEVICE void add_infinite(Frag v, Frag& sees, Frag p, Acc& out) {
    constexpr int m = HalfBits<A>::kMantissa;
    constexpr u32 mantissa = 0x00010001u * ((1u << m) - 1);
    for (int sign = 0; sign < 2; sign++) {
        Frag marks;
        for (int i = 0; i < kFragK / 2; i++) {
            u32 word = v.w[i], nan = ((word & mantissa) + mantissa) << (15 - m);
            u32 found = find_infinite<A>(word) & (nan | (sign == 0 ? ~word : word));
            // The top bit of a half as 1.0.
            marks.w[i] = (found >> 1) - (found >> (15 - m));
        }
        Acc counts = mma<A>(marks, sees, acc_zero());
        for (int i = 0; i < kAcc; i++) out[i] += counts[i] > 0 ? sign == 0 ? kInfinity : -kInfinity : 0.0f;
        finish_first(out, sees.w[0]);
    }
    u32 any = 0;
    Frag marks;
    for (int i = 0; i < kFragK / 2; i++) {
        u32 weight = (((p.w[i] & ~kTopBits) + ~kTopBits) | p.w[i]) & kTopBits, found = find_infinite<A>(v.w[i]);
        p.w[i] = sees.w[i] & ~((weight >> 15) * 0xFFFFu);
        marks.w[i] = (found >> 1) - (found >> (15 - m));
        any |= p.w[i];
    }
    if (!lanes_any(any != 0)) return;
    Acc counts = mma<A>(marks, p, acc_zero());
    for (int i = 0; i < kAcc; i++) out[i] += counts[i] > 0 ? __builtin_nanf("") : 0.0f;
    finish_first(out, sees.w[0]);
}
