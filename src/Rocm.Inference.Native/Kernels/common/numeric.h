// Element types: widening to f32, rounding from f32 (to nearest, ties to even), and vector loads.
#pragma once
#include "device.h"

DEVICE float as_f32(u32 bits) { return __builtin_bit_cast(float, bits); }
DEVICE u32 as_u32(float value) { return __builtin_bit_cast(u32, value); }

constexpr float kInfinity = __builtin_huge_valf();
constexpr float kLog2E = 1.4426950408889634f;
constexpr float kLn2 = 0.6931471805599453f;

#if defined(__NVPTX__)
DEVICE float exp2_fast(float x) { return __nvvm_ex2_approx_f(x); }
DEVICE float exp_fast(float x) { return __nvvm_ex2_approx_f(x * kLog2E); }
DEVICE float log2_fast(float x) { return __nvvm_lg2_approx_f(x); }
DEVICE float rcp_fast(float x) { return 1.0f / x; }
DEVICE float rsqrt_fast(float x) { return __nvvm_rsqrt_approx_f(x); }
#else
DEVICE float exp2_fast(float x) { return __builtin_amdgcn_exp2f(x); }
DEVICE float exp_fast(float x) { return __builtin_amdgcn_exp2f(x * kLog2E); }
DEVICE float log2_fast(float x) { return __builtin_amdgcn_logf(x); }
DEVICE float rcp_fast(float x) { return __builtin_amdgcn_rcpf(x); }
DEVICE float rsqrt_fast(float x) { return __builtin_amdgcn_rsqf(x); }
#endif

// The value, which the compiler may not fuse with what follows: results that must be the same bits in differently compiled code.
DEVICE float unfused(float x) {
#if defined(__NVPTX__)
    __asm__("" : "+f"(x));
#else
    __asm__("" : "+v"(x));
#endif
    return x;
}

// 2^exponent for exponents of normal and subnormal results alike.
DEVICE float power_of_two(int exponent) {
    if (exponent < -126) return exponent < -149 ? 0.0f : as_f32(1u << (exponent + 149));
    return exponent > 127 ? kInfinity : as_f32((u32)(exponent + 127) << 23);
}

// Storage types; one struct each, so that kernels are templates over them.
struct F32 {
    typedef float storage;
    static constexpr int kBytes = 4;
    DEVICE float widen(float x) { return x; }
    DEVICE float round(float x) { return x; }
};

struct BF16 {
    typedef u16 storage;
    static constexpr int kBytes = 2;
    DEVICE float widen(u16 x) { return as_f32((u32)x << 16); }
    DEVICE u16 round(float x) {
        u32 bits = as_u32(x);
        u32 rounded = (bits + 0x7FFFu + ((bits >> 16) & 1)) >> 16;
        return (u16)(x == x ? rounded : (bits >> 16) | 0x40u);
    }
    DEVICE bool is_finite(u16 x) { return (x & 0x7F80u) != 0x7F80u; }
};

struct F16 {
    typedef u16 storage;
    static constexpr int kBytes = 2;
    DEVICE float widen(u16 x) { return (float)__builtin_bit_cast(_Float16, x); }
    DEVICE u16 round(float x) { return __builtin_bit_cast(u16, (_Float16)x); }
    DEVICE bool is_finite(u16 x) { return (x & 0x7C00u) != 0x7C00u; }
};

// 8-bit floats, as in DType: e4m3fn (bias 7, 0x7F is NaN), e4m3fnuz (bias 8, 0x80 is NaN), e5m2 (IEEE-like). Every value is exact in bf16 and f16
// has the same exponent field as e5m2, so that widening goes through f16 with a power-of-two factor.
enum Fp8 : int { kFp8E4M3Fn = 0, kFp8E4M3Fnuz = 1, kFp8E5M2 = 2 };

DEVICE float widen_fp8(u8 x, int type) {
    if (type == kFp8E5M2) return F16::widen((u16)(x << 8));
    bool is_nan = type == kFp8E4M3Fn ? (x & 0x7F) == 0x7F : x == 0x80;
    float value = F16::widen((u16)(((x & 0x80) << 8) | ((x & 0x7F) << 7))) * (type == kFp8E4M3Fn ? 256.0f : 128.0f);
    return is_nan ? __builtin_nanf("") : value;
}

// Saturates to the largest finite value; NaN stays NaN.
DEVICE u8 round_fp8(float x, int type) {
    int mantissa_bits = type == kFp8E5M2 ? 2 : 3;
    int bias = type == kFp8E5M2 ? 15 : type == kFp8E4M3Fn ? 7 : 8;
    float largest = type == kFp8E5M2 ? 57344.0f : type == kFp8E4M3Fn ? 448.0f : 240.0f;
    if (!(x == x)) return type == kFp8E4M3Fnuz ? 0x80 : 0x7F;
    u32 sign = as_u32(x) >> 31;
    float magnitude = min_of(__builtin_fabsf(x), largest);
    u32 bits = as_u32(magnitude);
    int exponent = (int)(bits >> 23) - 127;
    int smallest = 1 - bias;
    // Normal: round the mantissa in place. Subnormal: count in units of the smallest step.
    u32 code;
    if (exponent >= smallest) {
        int drop = 23 - mantissa_bits;
        u32 rounded = bits + ((1u << (drop - 1)) - 1) + ((bits >> drop) & 1);
        code = (rounded >> drop) - ((u32)(127 - bias) << mantissa_bits);
    } else {
        float units = magnitude * power_of_two(bias - 1 + mantissa_bits);
        code = (u32)__builtin_rintf(units);
    }
    if (type == kFp8E4M3Fnuz && code == 0) return 0;
    return (u8)(code | (sign << 7));
}

// 16 bytes at an address that is a multiple of 16.
DEVICE u32x4 load16(const void* address) { return *(const u32x4*)address; }
DEVICE void store16(void* address, u32x4 value) { *(u32x4*)address = value; }

// From device memory, where the compiler does not see by itself that an address is of it: loads of any memory are slower, take two registers an address and are
// counted with those of LDS.
template <class Word> DEVICE Word load_global(const void* address) { return *(const __attribute__((address_space(1))) Word*)address; }

// Two 16-bit halves in one word, the first low.
DEVICE u32 pack2(u16 low, u16 high) { return (u32)low | ((u32)high << 16); }
