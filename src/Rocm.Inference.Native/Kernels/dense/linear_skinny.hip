// Few rows (up to 16 of a weight at a time): bound by the bytes of the weights, each read once for all of them.
//
// Work: group (x, y, z) = 16 outputs, row block, head. Its four waves take runs of columns in turns and add up through LDS (4 KiB).
// Bytes: row_bytes of 16 weight rows; 16 bytes a lane and load, four loads in flight.
// Names: linear_skinny_<activation>_<weight>_<output>.
#include "linear.h"

constexpr int kSkinnyWaves = 4;
constexpr int kSkinnyThreads = kSkinnyWaves * kWave;

// Steps of 32 columns in flight: where a lane needs four loads for one, registers allow for no more than two.
constexpr int kInFlight = kLoad32 == 4 ? 2 : 4;
constexpr int kRun = 32 * kInFlight;

template <class T, template <class> class Weight, class Out> DEVICE void linear_skinny(const LinearArgs& args, float* sums) {
    RowBlock block = RowBlock::find<16>(args, group_y());
    if (block.count == 0) return;
    int head = group_z(), n0 = group_x() * 16;
    i64 member = args.offsets == nullptr ? head : block.member;
    int n = min_of(n0 + tile_lane(), args.n - 1);
    Weight<T> weight = Weight<T>::of(args, member, n);
    bool has_row = tile_lane() < block.count;
    const u16* x = source_row(args, block.first + (has_row ? tile_lane() : 0), head);

    Acc total = acc_zero(), acc = acc_zero();
    for (int k = wave_index() * kRun; k < args.k; k += kSkinnyWaves * kRun) {
        _Pragma("unroll") for (int j = 0; j < kInFlight; j++) {
            if (k + 32 * j >= args.k) break;
            u32x4 w[kLoad32], v[kLoad32];
            for (int i = 0; i < kLoad32; i++) {
                int c = k + 32 * j + load32_k(i);
                w[i] = weight.load8(c);
                v[i] = has_row ? load_x8(x, c, args.k) : u32x4{0, 0, 0, 0};
            }
            acc = mma32<T>(make_frag32(w), make_frag32(v), acc);
        }
        if constexpr (Weight<T>::kHasBlockScales) {
            for (int i = 0; i < kAcc; i++) total[i] += acc[i] * block_scale(args, member, n0 + acc_row(i), k);
            acc = acc_zero();
        }
    }
    if constexpr (!Weight<T>::kHasBlockScales) total = acc;

    for (int i = 0; i < kAcc; i++) sums[(wave_index() * 16 + acc_row(i)) * 16 + tile_lane()] = total[i];
    group_barrier();
    for (int i = thread_index(); i < 256; i += kSkinnyThreads) {
        int row = i / 16, n = i % 16;
        float value = 0;
        for (int w = 0; w < kSkinnyWaves; w++) value += sums[(w * 16 + n) * 16 + row];
        if (row < block.count) write_y<Out>(args, member, block.first + row, head, n0 + n, value);
    }
}

#define SKINNY(T, name, Weight, weight, Out, out)                                            \
    KERNEL(kSkinnyThreads) linear_skinny_##name##_##weight##_##out(LinearArgs args) {        \
        __shared__ float sums[kSkinnyWaves * 256];                                           \
        linear_skinny<T, Weight, Out>(args, sums);                                           \
    }

SKINNY(BF16, bf16, Weight16, w16, BF16, bf16)
SKINNY(BF16, bf16, Weight16, w16, F32, f32)
SKINNY(BF16, bf16, Weight8, w8, BF16, bf16)
SKINNY(BF16, bf16, Weight4, w4, BF16, bf16)
SKINNY(F16, f16, Weight16, w16, F16, f16)
SKINNY(F16, f16, Weight16, w16, F32, f32)
SKINNY(F16, f16, Weight8, w8, F16, f16)
