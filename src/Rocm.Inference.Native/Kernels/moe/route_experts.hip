// Chooses and weights each token's experts: IKernels.RouteExperts, rule by rule as MoeRouting has it.
//
// Work: a group of one wave takes a token. LDS: two floats an expert, one a group and one a chosen expert. Bytes: E logits, K results.
#include "../common/wave.h"

enum Scoring : int { kSoftmax = 0, kSoftmaxOfChosen = 1, kSigmoid = 2 };
enum GroupScore : int { kBest = 0, kSumOfTwoBest = 1 };

struct RouteExpertsArgs {
    const void* logits;      // [T, E]
    const float* bias;       // [E], for the choice only, or null
    int* experts;            // [T, K]
    float* weights;          // [T, K]
    i64 logits_stride, weights_stride;
    int num_experts, top_k, scoring, normalizes;
    int num_groups;          // 1 where all groups may be chosen
    int top_k_groups, group_score;
    float scaling_factor;
};

constexpr int kRouteThreads = kWave;

// In a list of keys NaN marks what is out of the choice; a key that is NaN by its logit ranks last, as −∞.
constexpr float kOut = __builtin_nanf("");

DEVICE float ranked(float key) { return key == key ? key : -kInfinity; }
DEVICE bool is_out(float key) { return key != key; }

// Takes the largest key in LDS out of the list, the lowest of equals, and returns its index. Contains barriers.
DEVICE int take_largest(float* keys, int count) {
    float best = -kInfinity;
    int at = count;
    for (int i = lane_index(); i < count; i += kWave) {
        if (keys[i] > best || (keys[i] == best && i < at)) {
            best = keys[i];
            at = i;
        }
    }
    float max = lanes_max(best);
    // The lowest index of those: a maximum of negated indices, which are exact in f32.
    int index = -(int)lanes_max(best == max ? (float)-at : (float)-count);
    // The rule is checked before: something is left.
    index = index < count ? index : 0;
    group_barrier();
    if (lane_index() == 0) keys[index] = kOut;
    group_barrier();
    return index;
}

template <class A> DEVICE void score_experts(const RouteExpertsArgs& args, float* scores, float* keys) {
    const typename A::storage* logits = (const typename A::storage*)args.logits + group_x() * args.logits_stride;
    int lane = lane_index(), num = args.num_experts;
    float max = -kInfinity, sum = 0;
    if (args.scoring == kSoftmax) {
        for (int e = lane; e < num; e += kWave) max = __builtin_fmaxf(max, A::widen(logits[e]));
        max = lanes_max(max);
    }
    for (int e = lane; e < num; e += kWave) {
        float x = A::widen(logits[e]);
        scores[e] = args.scoring == kSigmoid ? 1.0f / (1.0f + exp_fast(-x)) : args.scoring == kSoftmax ? exp_fast(x - max) : x;
        sum += scores[e];
    }
    if (args.scoring == kSoftmax) sum = lanes_sum(sum);
    for (int e = lane; e < num; e += kWave) {
        if (args.scoring == kSoftmax) scores[e] /= sum;
        keys[e] = ranked(scores[e] + (args.bias == nullptr ? 0.0f : args.bias[e]));
    }
    group_barrier();
}

// Takes the experts of all but the best groups out of the choice.
DEVICE void choose_groups(const RouteExpertsArgs& args, float* keys, float* groups) {
    int lane = lane_index(), size = args.num_experts / args.num_groups;
    for (int g = lane; g < args.num_groups; g += kWave) {
        float first = -kInfinity, second = -kInfinity;
        for (int e = g * size; e < (g + 1) * size; e++) {
            float key = keys[e];
            if (key > first) {
                second = first;
                first = key;
            } else if (key > second) {
                second = key;
            }
        }
        groups[g] = ranked(args.group_score == kSumOfTwoBest && size > 1 ? first + second : first);
    }
    group_barrier();
    // A group that is taken from the list is chosen.
    for (int i = 0; i < args.top_k_groups; i++) take_largest(groups, args.num_groups);
    for (int e = lane; e < args.num_experts; e += kWave) {
        if (!is_out(groups[e / size])) keys[e] = kOut;
    }
    group_barrier();
}

DEVICE void weigh_chosen(const RouteExpertsArgs& args, float* chosen) {
    int lane = lane_index();
    float factor = args.scaling_factor;
    if (args.scoring == kSoftmaxOfChosen) {
        // With a bias the first need not have the largest logit.
        float max = -kInfinity, sum = 0;
        for (int k = lane; k < args.top_k; k += kWave) max = __builtin_fmaxf(max, chosen[k]);
        max = lanes_max(max);
        for (int k = lane; k < args.top_k; k += kWave) {
            chosen[k] = exp_fast(chosen[k] - max);
            sum += chosen[k];
        }
        factor /= lanes_sum(sum);
    } else if (args.normalizes) {
        float sum = 0;
        for (int k = lane; k < args.top_k; k += kWave) sum += chosen[k];
        sum = lanes_sum(sum);
        factor /= args.scoring == kSigmoid ? sum + 1e-20f : sum;
    }
    for (int k = lane; k < args.top_k; k += kWave) args.weights[group_x() * args.weights_stride + k] = chosen[k] * factor;
}

extern __shared__ float route_memory[];  // scores [E], keys [E], chosen [K], groups

// T: the element type of the logits.
KERNEL(kRouteThreads) route_experts(RouteExpertsArgs args) {
    float* scores = route_memory;
    float* keys = scores + args.num_experts;
    float* chosen = keys + args.num_experts;
    score_experts<T>(args, scores, keys);
    if (args.num_groups > 1) choose_groups(args, keys, chosen + args.top_k);
    for (int k = 0; k < args.top_k; k++) {
        int expert = take_largest(keys, args.num_experts);
        if (lane_index() == 0) {
            args.experts[(i64)group_x() * args.top_k + k] = expert;
            chosen[k] = scores[expert];
        }
    }
    group_barrier();
    weigh_chosen(args, chosen);
}
