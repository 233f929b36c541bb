// 8-bit floats a word at a time, where a type is known when the kernel is compiled.
#pragma once
#include "numeric.h"

// Two f32 that the 16-bit type A holds exactly.
template <class A> DEVICE u32 pack_exact(float low, float high) { return pack2(A::round(low), A::round(high)); }
template <> DEVICE_SPECIAL u32 pack_exact<BF16>(float low, float high) { return (as_u32(low) >> 16) | (as_u32(high) & 0xFFFF0000u); }

// Byte i of a word that is no NaN. E4M3: exponent and mantissa go where they are in an f32, whose bias a product makes up for, subnormals included.
template <int kType> DEVICE float widen_number(u32 word, int i) {
    if constexpr (kType == kFp8E5M2) return F16::widen((u16)(i % 2 == 0 ? word >> (8 * i) << 8 : word >> (8 * i - 8) & 0xFF00u));
    else return as_f32((u32)((i32)(word << (24 - 8 * i)) >> 4) & 0x87F00000u) * (kType == kFp8E4M3Fn ? 0x1p120f : 0x1p119f);
}

// 0x80 in the bytes that are NaN; those of E5M2 come out as NaN by themselves.
template <int kType> DEVICE u32 find_nan(u32 word) {
    if constexpr (kType == kFp8E4M3Fn) return ((word & 0x7F7F7F7Fu) + 0x01010101u) & 0x80808080u;
    else if constexpr (kType == kFp8E4M3Fnuz) return ~(((word & 0x7F7F7F7Fu) + 0x7F7F7F7Fu) | ~word) & 0x80808080u;
    else return 0;
}

// The four elements of a word.
template <class A, int kType> DEVICE u32x2 widen4(u32 word) {
#if defined(__gfx942__)
    if constexpr (kType == kFp8E4M3Fnuz) {
        auto low = __builtin_amdgcn_cvt_pk_f32_fp8((int)word, false), high = __builtin_amdgcn_cvt_pk_f32_fp8((int)word, true);
        return {pack_exact<A>(low[0], low[1]), pack_exact<A>(high[0], high[1])};
    }
#endif
    u32x2 result = {
        pack_exact<A>(widen_number<kType>(word, 0), widen_number<kType>(word, 1)), pack_exact<A>(widen_number<kType>(word, 2), widen_number<kType>(word, 3))};
    if constexpr (kType != kFp8E5M2) {
        // All bits of a byte that is NaN, then of the 16 that it becomes.
        u32 nan = find_nan<kType>(word);
        nan = (nan << 1) - (nan >> 7);
        u32 even = nan & 0xFF00FFu, odd = nan & 0xFF00FF00u;
        even |= even << 8;
        odd |= odd >> 8;
        result[0] |= (even & 0xFFFFu) | (odd << 16);
        result[1] |= (even >> 16) | (odd & 0xFFFF0000u);
    }
    return result;
}

// Numbers of up to 240 in magnitude to E4M3 FNUZ, to nearest, ties to even; NaN stays NaN.
DEVICE u32 round4_fnuz(const float* x) {
#if defined(__gfx942__)
    int low = __builtin_amdgcn_cvt_pk_fp8_f32(x[0], x[1], 0, false);
    return (u32)__builtin_amdgcn_cvt_pk_fp8_f32(x[2], x[3], low, true);
#else
    u32 word = 0;
    for (int i = 0; i < 4; i++) word |= (u32)round_fp8(x[i], kFp8E4M3Fnuz) << (8 * i);
    return word;
#endif
}
