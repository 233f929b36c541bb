// Many rows: bound by the matrix units. Both operands go through LDS once per group.
//
// Work: group (x, y, z) = 128 outputs (RDNA: 64), 128 rows, head; 256 threads; 64 columns at a time. A wave has 64 outputs × 64 rows (CDNA, four
// waves), or 64 × 16 (RDNA, eight). The next columns are loaded into registers while the present ones are multiplied.
// LDS: (128 or 64) + 128 rows of 64 + 8 elements = 36 or 27 KiB; the 8 are padding, so that the 16 lanes of a column of tiles read different banks.
#include "linear.h"

constexpr int kTiledThreads = 256;
constexpr int kTiledWaves = kTiledThreads / kWave;
constexpr int kBlockRows = 128, kBlockK = 64;
// The sums of a leaf and of all before it do not fit RDNA's registers at the full width.
constexpr int kBlockN = kWave == 32 ? 64 : 128;
constexpr int kLdsStride = kBlockK + 8;

template <class A, class W> DEVICE void linear_tile(const LinearArgs& args, u16* lds) {
    constexpr int kWaveN = 64, kWaveRows = kBlockN * kBlockRows / kTiledWaves / kWaveN;
    constexpr int kTilesN = kWaveN / 16, kTilesRows = kWaveRows / 16;
    constexpr int kLoadsW = kBlockN * kBlockK / 8 / kTiledThreads, kLoadsX = kBlockRows * kBlockK / 8 / kTiledThreads;
    RowBlock block = RowBlock::find<kBlockRows>(args, group_y());
    if (block.count == 0) return;
    int head = group_z(), n0 = group_x() * kBlockN;
    i64 member = args.offsets == nullptr ? head : block.member;
    u16* lds_w = lds;
    u16* lds_x = lds + kBlockN * kLdsStride;
    int wave_n = wave_index() % (kBlockN / kWaveN) * kWaveN, wave_row = wave_index() / (kBlockN / kWaveN) * kWaveRows;

    Acc total[kTilesN][kTilesRows], acc[kTilesN][kTilesRows];
    _Pragma("unroll") for (int a = 0; a < kTilesN; a++) {
        _Pragma("unroll") for (int b = 0; b < kTilesRows; b++) total[a][b] = acc[a][b] = acc_zero();
    }

    // Vector i of a thread: row and column within the block.
    auto row_of = [](int i) { return (i * kTiledThreads + thread_index()) / (kBlockK / 8); };
    auto column_of = [](int i) { return (i * kTiledThreads + thread_index()) % (kBlockK / 8) * 8; };
    const u16* rows[kLoadsX];
    _Pragma("unroll") for (int i = 0; i < kLoadsX; i++) rows[i] = row_of(i) < block.count ? source_row(args, block.first + row_of(i), head) : nullptr;
    u32x4 next_w[kLoadsW], next_x[kLoadsX];
    auto load = [&](int k0) {
        _Pragma("unroll") for (int i = 0; i < kLoadsW; i++) {
            int n = n0 + row_of(i), k = k0 + column_of(i);
            next_w[i] = n < args.n && k < args.k ? W::of(args, member, n).load8(k) : u32x4{0, 0, 0, 0};
        }
        _Pragma("unroll") for (int i = 0; i < kLoadsX; i++) {
            int k = k0 + column_of(i);
            next_x[i] = rows[i] != nullptr && k < args.k ? load_x8(rows[i], k, args.k) : u32x4{0, 0, 0, 0};
        }
    };

    load(0);
    for (int k0 = 0; k0 < args.k; k0 += kBlockK) {
        group_barrier();
        _Pragma("unroll") for (int i = 0; i < kLoadsW; i++) store16(lds_w + row_of(i) * kLdsStride + column_of(i), next_w[i]);
        _Pragma("unroll") for (int i = 0; i < kLoadsX; i++) store16(lds_x + row_of(i) * kLdsStride + column_of(i), next_x[i]);
        group_barrier();
        if (k0 + kBlockK < args.k) load(k0 + kBlockK);
        _Pragma("unroll") for (int k = 0; k < kBlockK; k += 32) {
            Frag32 x[kTilesRows];
            _Pragma("unroll") for (int b = 0; b < kTilesRows; b++) x[b] = load_frag32(lds_x + (wave_row + 16 * b + tile_lane()) * kLdsStride + k);
            _Pragma("unroll") for (int a = 0; a < kTilesN; a++) {
                Frag32 w = load_frag32(lds_w + (wave_n + 16 * a + tile_lane()) * kLdsStride + k);
                _Pragma("unroll") for (int b = 0; b < kTilesRows; b++) acc[a][b] = mma32<A>(w, x[b], acc[a][b]);
            }
        }
        // A leaf is two rounds.
        if ((k0 / kBlockK) % 2 == 0 && k0 + kBlockK < args.k) continue;
        _Pragma("unroll") for (int a = 0; a < kTilesN; a++) {
            _Pragma("unroll") for (int i = 0; i < kAcc; i++) {
                float scale = leaf_scale<W::kScaleRows>(args, member, n0 + wave_n + 16 * a + acc_row(i), k0);
                _Pragma("unroll") for (int b = 0; b < kTilesRows; b++) {
                    total[a][b][i] = add_leaf<W::kScaleRows != 0>(total[a][b][i], acc[a][b][i], scale);
                    acc[a][b][i] = 0;
                }
            }
        }
    }

    _Pragma("unroll") for (int a = 0; a < kTilesN; a++) {
        _Pragma("unroll") for (int b = 0; b < kTilesRows; b++) {
            int row = wave_row + 16 * b + tile_lane();
            if (row >= block.count) continue;
            _Pragma("unroll") for (int i = 0; i < kAcc; i++)
                write_y<A>(args, member, block.first + row, head, n0 + wave_n + 16 * a + acc_row(i), total[a][b][i]);
        }
    }
}

// T: the activation type. WEIGHT: bits of a weight's element, 8Shuffled: in AITER's order.
#define WEIGHT_CLASS2(bits) Weight##bits
#define WEIGHT_CLASS(bits) WEIGHT_CLASS2(bits)
KERNEL(kTiledThreads) linear_tiled(LinearArgs args) {
    __shared__ __attribute__((aligned(16))) u16 lds[(kBlockN + kBlockRows) * kLdsStride];
    WeightsOf<WEIGHT_CLASS(WEIGHT)<T>>::run(args, [&](auto weight) __attribute__((always_inline)) { linear_tile<T, decltype(weight)>(args, lds); });
}
