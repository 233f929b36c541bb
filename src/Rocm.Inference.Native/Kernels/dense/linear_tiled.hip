// Many rows: bound by the matrix units. Both operands go through LDS once per group.
//
// Work: group (x, y, z) = 128 outputs (RDNA with scaled blocks: 64), 128 rows, head; 256 threads; 64 columns at a time. A wave has 64 outputs × 64
// rows (CDNA, four waves), 64 × 32 or 64 × 16 (RDNA, eight). The next columns are loaded into registers while the present ones are multiplied.
// LDS: 2 · 128 rows of 64 + 8 elements = 36 KiB; the 8 are padding, so that the 16 lanes of a column of tiles read different banks.
// Names: linear_tiled_<activation>_<weight>_<output>.
#include "linear.h"

constexpr int kTiledThreads = 256;
constexpr int kTiledWaves = kTiledThreads / kWave;
constexpr int kBlockRows = 128, kBlockK = 64;
constexpr int kLdsStride = kBlockK + 8;

// Two sets of sums, for weights with scales of blocks, do not fit RDNA's registers at the full width.
template <class Weight> constexpr int block_n() { return kWave == 32 && Weight::kHasBlockScales ? 64 : 128; }

template <class T, template <class> class Weight, class Out> DEVICE void linear_tiled(const LinearArgs& args, u16* lds) {
    constexpr int kBlockN = block_n<Weight<T>>();
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
    u32x4 next_w[kLoadsW], next_x[kLoadsX];
    auto load = [&](int k0) {
        _Pragma("unroll") for (int i = 0; i < kLoadsW; i++) {
            int n = n0 + row_of(i), k = k0 + column_of(i);
            next_w[i] = n < args.n && k < args.k ? Weight<T>::of(args, member, n).load8(k) : u32x4{0, 0, 0, 0};
        }
        _Pragma("unroll") for (int i = 0; i < kLoadsX; i++) {
            int row = row_of(i), k = k0 + column_of(i);
            next_x[i] = row < block.count && k < args.k ? load_x8(source_row(args, block.first + row, head), k, args.k) : u32x4{0, 0, 0, 0};
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
                _Pragma("unroll") for (int b = 0; b < kTilesRows; b++) acc[a][b] = mma32<T>(w, x[b], acc[a][b]);
            }
        }
        if constexpr (Weight<T>::kHasBlockScales) {
            // A block of scales is 128 columns: two rounds.
            if ((k0 / kBlockK) % 2 == 0 && k0 + kBlockK < args.k) continue;
            _Pragma("unroll") for (int a = 0; a < kTilesN; a++) {
                for (int i = 0; i < kAcc; i++) {
                    float scale = block_scale(args, member, n0 + wave_n + 16 * a + acc_row(i), k0);
                    _Pragma("unroll") for (int b = 0; b < kTilesRows; b++) {
                        total[a][b][i] += acc[a][b][i] * scale;
                        acc[a][b][i] = 0;
                    }
                }
            }
        }
    }

    _Pragma("unroll") for (int a = 0; a < kTilesN; a++) {
        _Pragma("unroll") for (int b = 0; b < kTilesRows; b++) {
            int row = wave_row + 16 * b + tile_lane();
            if (row >= block.count) continue;
            Acc value = Weight<T>::kHasBlockScales ? total[a][b] : acc[a][b];
            for (int i = 0; i < kAcc; i++) write_y<Out>(args, member, block.first + row, head, n0 + wave_n + 16 * a + acc_row(i), value[i]);
        }
    }
}

#define TILED(T, name, Weight, weight, Out, out)                                                    \
    KERNEL(kTiledThreads) linear_tiled_##name##_##weight##_##out(LinearArgs args) {                 \
        __shared__ __attribute__((aligned(16))) u16 lds[(block_n<Weight<T>>() + kBlockRows) * kLdsStride]; \
        linear_tiled<T, Weight, Out>(args, lds);                                                    \
    }

TILED(BF16, bf16, Weight16, w16, BF16, bf16)
TILED(BF16, bf16, Weight16, w16, F32, f32)
TILED(BF16, bf16, Weight8, w8, BF16, bf16)
TILED(BF16, bf16, Weight4, w4, BF16, bf16)
TILED(F16, f16, Weight16, w16, F16, f16)
TILED(F16, f16, Weight16, w16, F32, f32)
TILED(F16, f16, Weight8, w8, F16, f16)
