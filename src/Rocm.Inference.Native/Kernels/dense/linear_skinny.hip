// Few rows (16 of a weight at a time): bound by the bytes of the weights, each read once for all of them.
//
// Work: group (x, y, z) = 16 outputs, row block, head. Its four waves take leaves in turns and hand their sums over through LDS, where one thread an
// output and row adds them in order: kRound leaves a wave between barriers. LDS: 16 KiB.
// Bytes: row_bytes of 16 weight rows; 16 bytes a lane and load (8-bit floats 8, MXFP4 4), the loads of a leaf in flight at a time.
#include "linear.h"

constexpr int kSkinnyWaves = 4;
constexpr int kSkinnyThreads = kSkinnyWaves * kWave;
constexpr int kSkinnyRows = 16;
constexpr int kRound = 4;
constexpr int kSlots = kSkinnyWaves * kRound;
constexpr int kSums = 16 * kSkinnyRows;

// Steps of 32 columns in flight: where a lane needs four loads for one, registers allow for no more than two.
constexpr int kInFlight = kLoad32 == 4 ? 2 : 4;

template <class A, class W> DEVICE Acc sum_leaf(const LinearArgs& args, const W& weight, const u16* x, bool has_row, int first) {
    Acc acc = acc_zero();
    for (int run = 0; run < kLeaf && first + run < args.k; run += 32 * kInFlight) {
        u32x4 w[kInFlight][kLoad32], v[kInFlight][kLoad32];
        _Pragma("unroll") for (int j = 0; j < kInFlight; j++) {
            _Pragma("unroll") for (int i = 0; i < kLoad32; i++) {
                int k = first + run + 32 * j + load32_k(i);
                bool is_inside = k < args.k;   // K is padded to 64 only
                w[j][i] = is_inside ? weight.load8(k) : u32x4{0, 0, 0, 0};
                v[j][i] = is_inside && has_row ? load_x8(x, k, args.k) : u32x4{0, 0, 0, 0};
            }
        }
        _Pragma("unroll") for (int j = 0; j < kInFlight; j++) acc = mma32<A>(make_frag32(w[j]), make_frag32(v[j]), acc);
    }
    return acc;
}

template <class A, class W> DEVICE void linear_rows(const LinearArgs& args, float* slots) {
    RowBlock block = RowBlock::find<kSkinnyRows>(args, group_y());
    if (block.count == 0) return;
    int head = group_z(), n0 = group_x() * 16;
    i64 member = args.offsets == nullptr ? head : block.member;
    W weight = W::of(args, member, min_of(n0 + tile_lane(), args.n - 1));
    bool has_row = tile_lane() < block.count;
    const u16* x = source_row(args, block.first + (has_row ? tile_lane() : 0), head);

    constexpr int kOwn = kSums / kSkinnyThreads;
    float total[kOwn] = {};
    for (int round = 0; round < args.k; round += kSlots * kLeaf) {
        if (round != 0) group_barrier();
        for (int slot = wave_index(); slot < kSlots && round + slot * kLeaf < args.k; slot += kSkinnyWaves) {
            Acc acc = sum_leaf<A>(args, weight, x, has_row, round + slot * kLeaf);
            for (int i = 0; i < kAcc; i++) slots[slot * kSums + acc_row(i) * kSkinnyRows + tile_lane()] = acc[i];
        }
        group_barrier();
        for (int slot = 0; slot < kSlots && round + slot * kLeaf < args.k; slot++) {
            _Pragma("unroll") for (int own = 0; own < kOwn; own++) {
                int i = own * kSkinnyThreads + thread_index();
                float scale = leaf_scale<W::kScaleRows>(args, member, n0 + i / kSkinnyRows, round + slot * kLeaf);
                total[own] = add_leaf<W::kScaleRows != 0>(total[own], slots[slot * kSums + i], scale);
            }
        }
    }

    _Pragma("unroll") for (int own = 0; own < kOwn; own++) {
        int i = own * kSkinnyThreads + thread_index(), row = i % kSkinnyRows;
        if (row < block.count) write_y<A>(args, member, block.first + row, head, n0 + i / kSkinnyRows, total[own]);
    }
}

// T: the activation type. WEIGHT: bits of a weight's element, 8Shuffled: in AITER's order.
#define WEIGHT_CLASS2(bits) Weight##bits
#define WEIGHT_CLASS(bits) WEIGHT_CLASS2(bits)
KERNEL(kSkinnyThreads) linear_skinny(LinearArgs args) {
    __shared__ float slots[kSlots * kSums];
    WeightsOf<WEIGHT_CLASS(WEIGHT)<T>>::run(args, [&](auto weight) __attribute__((always_inline)) { linear_rows<T, decltype(weight)>(args, slots); });
}
