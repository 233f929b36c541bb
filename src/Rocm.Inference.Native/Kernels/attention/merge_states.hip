// Merges two normalised partial results by their LSE (spec: treat +∞ as −∞; both empty give 0 and −∞). A wave takes a (token, head); a lane its dims.
#include "../common/wave.h"

struct MergeStatesArgs {
    const u16* output_a; const float* lse_a;
    const u16* output_b; const float* lse_b;
    u16* output; float* lse;
    i64 a_token_stride, a_head_stride, b_token_stride, b_head_stride, output_token_stride, output_head_stride;
    i64 lse_a_stride, lse_b_stride, lse_stride;
    int num_tokens, num_heads, v_dim, unused;
};

constexpr int kMergeThreads = 256;

template <class T> DEVICE void merge_states(const MergeStatesArgs& args) {
    i64 item = (i64)group_x() * (kMergeThreads / kWave) + wave_index();
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
    for (int d = lane_index(); d < args.v_dim; d += kWave) {
        // An empty part's output is not looked at: it may be anything.
        float value = weight_a > 0 ? T::widen(x[d]) * weight_a : 0;
        if (weight_b > 0) value += T::widen(y[d]) * weight_b;
        output[d] = T::round(value);
    }
    if (lane_index() == 0) args.lse[head * args.lse_stride + token] = lse;
}

KERNEL(kMergeThreads) merge_states_bf16(MergeStatesArgs args) { merge_states<BF16>(args); }
KERNEL(kMergeThreads) merge_states_f16(MergeStatesArgs args) { merge_states<F16>(args); }
