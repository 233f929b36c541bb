// D += A · B on tiles of 16 × 16: MFMA 16x16x16 on CDNA (wave64), WMMA 16x16x16 on RDNA (wave32).
//
// Kernels are written over what is common to all: a lane belongs to row lane % 16 of A and to column lane % 16 of B, and of that row or column
// it holds some k; of D it holds column lane % 16 and kAcc rows. Which k and which rows differ by target and are asked for here.
#pragma once
#include "wave.h"

typedef short s16x4 __attribute__((ext_vector_type(4)));
typedef short s16x8 __attribute__((ext_vector_type(8)));
typedef short s16x16 __attribute__((ext_vector_type(16)));
typedef _Float16 f16x4 __attribute__((ext_vector_type(4)));
typedef _Float16 f16x8 __attribute__((ext_vector_type(8)));
typedef _Float16 f16x16 __attribute__((ext_vector_type(16)));

DEVICE int tile_lane() { return lane_index() & 15; }
DEVICE int tile_half() { return lane_index() >> 4; }

#if defined(__GFX9__)

constexpr int kAcc = 4;       // rows of D in a lane
constexpr int kFragK = 4;     // k of an operand in a lane
typedef f32x4 Acc;
struct Frag { u32 w[2]; };    // kFragK 16-bit elements

// Row of D that accumulator i holds; also the k that element i of an operand stands for in from_acc and frag_token.
DEVICE int acc_row(int i) { return tile_half() * 4 + i; }
DEVICE int frag_k(int i) { return tile_half() * 4 + i; }

template <class T> DEVICE Acc mma(Frag a, Frag b, Acc c);
template <> DEVICE_SPECIAL Acc mma<BF16>(Frag a, Frag b, Acc c) {
    return __builtin_amdgcn_mfma_f32_16x16x16bf16_1k(__builtin_bit_cast(s16x4, a), __builtin_bit_cast(s16x4, b), c, 0, 0, 0);
}
template <> DEVICE_SPECIAL Acc mma<F16>(Frag a, Frag b, Acc c) {
    return __builtin_amdgcn_mfma_f32_16x16x16f16(__builtin_bit_cast(f16x4, a), __builtin_bit_cast(f16x4, b), c, 0, 0, 0);
}

// A row's or column's 32 consecutive k, as two operands. The lane loads 8 consecutive elements, so that k is permuted the same way in A and B.
struct Frag32 { Frag f[2]; };
constexpr int kLoad32 = 1;    // 16-byte loads of a lane for 32 k
DEVICE int load32_k(int) { return tile_half() * 8; }
DEVICE Frag32 make_frag32(const u32x4* loads) {
    return {{{{loads[0][0], loads[0][1]}}, {{loads[0][2], loads[0][3]}}}};
}

// Probabilities as a B operand: D's rows are the k already.
template <class T> DEVICE Frag from_acc(Acc p) {
    return {{pack2(T::round(p[0]), T::round(p[1])), pack2(T::round(p[2]), T::round(p[3]))}};
}

#elif defined(__GFX12__) || defined(__NVPTX__)

constexpr int kAcc = 8;
constexpr int kFragK = 8;
typedef f32x8 Acc;
struct Frag { u32 w[4]; };

DEVICE int acc_row(int i) { return tile_half() * 8 + i; }
DEVICE int frag_k(int i) { return tile_half() * 8 + i; }

#if defined(__NVPTX__)
// By shuffles: right, not fast.
template <class T> DEVICE Acc mma(Frag a, Frag b, Acc c) {
    u32 column[8];
    for (int w = 0; w < 4; w++) {
        u32 other = lane_xor<16>(b.w[w]);
        column[w] = tile_half() ? other : b.w[w];
        column[w + 4] = tile_half() ? b.w[w] : other;
    }
    for (int i = 0; i < kAcc; i++) {
        float sum = 0;
        for (int w = 0; w < 8; w++) {
            // Both halves ask for rows of their own, from the lanes that hold them.
            u32 row = lane_read(a.w[w % 4], acc_row(i) + w / 4 * 16);
            sum += T::widen((u16)row) * T::widen((u16)column[w]) + T::widen((u16)(row >> 16)) * T::widen((u16)(column[w] >> 16));
        }
        c[i] += sum;
    }
    return c;
}
#else
template <class T> DEVICE Acc mma(Frag a, Frag b, Acc c);
template <> DEVICE_SPECIAL Acc mma<BF16>(Frag a, Frag b, Acc c) {
    return __builtin_amdgcn_wmma_f32_16x16x16_bf16_w32_gfx12(__builtin_bit_cast(s16x8, a), __builtin_bit_cast(s16x8, b), c);
}
template <> DEVICE_SPECIAL Acc mma<F16>(Frag a, Frag b, Acc c) {
    return __builtin_amdgcn_wmma_f32_16x16x16_f16_w32_gfx12(__builtin_bit_cast(f16x8, a), __builtin_bit_cast(f16x8, b), c);
}
#endif

struct Frag32 { Frag f[2]; };
constexpr int kLoad32 = 2;
DEVICE int load32_k(int i) { return i * 16 + tile_half() * 8; }
DEVICE Frag32 make_frag32(const u32x4* loads) {
    return {{{{loads[0][0], loads[0][1], loads[0][2], loads[0][3]}}, {{loads[1][0], loads[1][1], loads[1][2], loads[1][3]}}}};
}

template <class T> DEVICE Frag from_acc(Acc p) {
    return {{pack2(T::round(p[0]), T::round(p[1])), pack2(T::round(p[2]), T::round(p[3])),
             pack2(T::round(p[4]), T::round(p[5])), pack2(T::round(p[6]), T::round(p[7]))}};
}

#else  // gfx11: both halves of the wave hold the whole k of their row or column

constexpr int kAcc = 8;
constexpr int kFragK = 16;
typedef f32x8 Acc;
struct Frag { u32 w[8]; };

DEVICE int acc_row(int i) { return i * 2 + tile_half(); }
// D's rows alternate between the halves: operands made from it have the even k first, then the odd.
DEVICE int frag_k(int i) { return i < 8 ? i * 2 : (i - 8) * 2 + 1; }

template <class T> DEVICE Acc mma(Frag a, Frag b, Acc c);
template <> DEVICE_SPECIAL Acc mma<BF16>(Frag a, Frag b, Acc c) {
    return __builtin_amdgcn_wmma_f32_16x16x16_bf16_w32(__builtin_bit_cast(s16x16, a), __builtin_bit_cast(s16x16, b), c);
}
template <> DEVICE_SPECIAL Acc mma<F16>(Frag a, Frag b, Acc c) {
    return __builtin_amdgcn_wmma_f32_16x16x16_f16_w32(__builtin_bit_cast(f16x16, a), __builtin_bit_cast(f16x16, b), c);
}

struct Frag32 { Frag f[2]; };
constexpr int kLoad32 = 4;
DEVICE int load32_k(int i) { return i * 8; }
DEVICE Frag32 make_frag32(const u32x4* loads) {
    Frag32 result;
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++) result.f[i / 2].w[(i % 2) * 4 + j] = loads[i][j];
    }
    return result;
}

template <class T> DEVICE Frag from_acc(Acc p) {
    Frag own, result;
    bool upper = tile_half() != 0;
    for (int i = 0; i < 4; i++) {
        own.w[i] = pack2(T::round(p[2 * i]), T::round(p[2 * i + 1]));
        own.w[i + 4] = lane_xor<16>(own.w[i]);
    }
    for (int i = 0; i < 4; i++) {
        result.w[i] = upper ? own.w[i + 4] : own.w[i];
        result.w[i + 4] = upper ? own.w[i] : own.w[i + 4];
    }
    return result;
}

#endif

DEVICE Acc acc_zero() { return Acc{}; }

// What of these is the same for all lanes: acc_row(i) = acc_row(0) + kAccStep · i, load32_k(i) = load32_k(0) + kLoad32Step · i.
constexpr int kAccStep = kFragK == 16 ? 2 : 1;
constexpr int kLoad32Step = kFragK == 16 ? 8 : 16;

// D += A · B over 32 k.
template <class T> DEVICE Acc mma32(const Frag32& a, const Frag32& b, Acc c) { return mma<T>(a.f[1], b.f[1], mma<T>(a.f[0], b.f[0], c)); }

// 32 consecutive 16-bit elements of a row, at a multiple of 16 bytes.
DEVICE Frag32 load_frag32(const u16* row) {
    u32x4 loads[kLoad32];
    for (int i = 0; i < kLoad32; i++) loads[i] = load16(row + load32_k(i));
    return make_frag32(loads);
}
