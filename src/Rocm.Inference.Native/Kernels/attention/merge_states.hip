// Merges two normalised partial results by their LSE (+∞ counts as −∞; both empty give 0 and −∞). The result may take the place of either.
//
// Work: 2^lanes_log2 lanes of one wave take a (token, head), each V dims at a time: a head's LSE is read by the wave that overwrites it.
// Bytes: both outputs once, but of an empty part only its LSE; the result once.
#include "../common/wave.h"

struct MergeStatesArgs {
    const u16* output_a; const float* lse_a;
    const u16* output_b; const float* lse_b;
    u16* output; float* lse;
    i64 a_token_stride, a_head_stride, b_token_stride, b_head_stride, output_token_stride, output_head_stride;
    i64 lse_a_stride, lse_b_stride, lse_stride;
    int num_tokens, num_heads, v_dim, lanes_log2;
};

constexpr int kMergeThreads = 256;

template <class A> DEVICE float merge_element(u16 x, float weight_x, u16 y, float weight_y) {
    // An empty part's output is not looked at: it may be anything.
    float value = weight_x > 0 ? A::widen(x) * weight_x : 0;
    return weight_y > 0 ? __builtin_fmaf(A::widen(y), weight_y, value) : value;
}

template <class A, int kElements> DEVICE void merge_states_of_head(const MergeStatesArgs& args) {
    int lanes = 1 << args.lanes_log2, lane = thread_index() & (lanes - 1);
    i64 item = ((i64)group_x() * kMergeThreads + thread_index()) >> args.lanes_log2;
    if (item >= (i64)args.num_tokens * args.num_heads) return;
    int token = (int)(item / args.num_heads), head = (int)(item % args.num_heads);
    float a = args.lse_a[head * args.lse_a_stride + token], b = args.lse_b[head * args.lse_b_stride + token];
    if (a == kInfinity) a = -kInfinity;
    if (b == kInfinity) b = -kInfinity;
    float max = __builtin_fmaxf(a, b);
    float weight_a = 0, weight_b = 0, lse = -kInfinity;
    if (max != -kInfinity) {
        weight_a = exp_fast(a - max);
        weight_b = exp_fast(b - max);
        float sum = weight_a + weight_b;
        weight_a /= sum;
        weight_b /= sum;
        lse = max + log2_fast(sum) * kLn2;
    }
    const u16* x = args.output_a + token * args.a_token_stride + head * args.a_head_stride;
    const u16* y = args.output_b + token * args.b_token_stride + head * args.b_head_stride;
    u16* output = args.output + token * args.output_token_stride + head * args.output_head_stride;
    for (int d = lane * kElements; d < args.v_dim; d += lanes * kElements) {
        if constexpr (kElements == 8) {
            u32x4 from_x = {0, 0, 0, 0}, from_y = {0, 0, 0, 0}, merged;
            if (weight_a > 0) from_x = load16(x + d);
            if (weight_b > 0) from_y = load16(y + d);
            for (int i = 0; i < 4; i++) {
                merged[i] = pack2(A::round(merge_element<A>((u16)from_x[i], weight_a, (u16)from_y[i], weight_b)),
                                  A::round(merge_element<A>((u16)(from_x[i] >> 16), weight_a, (u16)(from_y[i] >> 16), weight_b)));
            }
            store16(output + d, merged);
        } else {
            output[d] = A::round(merge_element<A>(x[d], weight_a, y[d], weight_b));
        }
    }
    if (lane == 0) args.lse[head * args.lse_stride + token] = lse;
}

// T: the activation type. V: 8 where rows are multiples of 16 bytes, else 1.
KERNEL(kMergeThreads) merge_states(MergeStatesArgs args) { merge_states_of_head<T, V>(args); }
