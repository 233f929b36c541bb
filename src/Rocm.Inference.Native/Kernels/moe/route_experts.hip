// Chooses and weights each token's experts: IKernels.RouteExperts, rule by rule as MoeRouting has it.
//
// Work: a group of one wave takes a token. LDS: two floats an expert. Bytes: E logits, K results.
#include "../common/wave.h"

enum Scoring : int { kSoftmax = 0, kSoftmaxOfChosen = 1, kSigmoid = 2 };
enum GroupScore : int { kBest = 0, kSumOfTwoBest = 1 };

struct RouteExpertsArgs {
    const void* logits;      // [T, E]
    const float* bias;       // [E], for the choice only, or null
    int* experts;            // [T, K]
    float* weights;          // [T, K]
    i64 logits_stride;
    int num_experts, top_k, scoring, normalizes;
    int num_groups, top_k_groups, group_score;
    float scaling_factor;
};

constexpr int kRouteThreads = kWave;
constexpr int kMaxExperts = 1024, kMaxGroups = 64, kMaxTopK = 64;

// Index of the largest of count values in LDS, the lowest of equals. NaN counts as −∞; with nothing above −∞ the first.
DEVICE int largest_index(const float* values, int count) {
    float best = -kInfinity;
    int at = count;
    for (int i = lane_index(); i < count; i += kWave) {
        if (values[i] > best || (values[i] == best && i < at)) {
            best = values[i];
            at = i;
        }
    }
    float max = lanes_max(best);
    // Lanes with a lower value drop out; the lowest index wins: a maximum of negated indices, which are exact in f32.
    int index = -(int)lanes_max(best == max ? (float)-at : (float)-count);
    return index < count ? index : 0;
}

template <class T> DEVICE void route_experts(const RouteExpertsArgs& args, float* scores, float* choice, float* groups, float* chosen) {
    int token = group_x(), lane = lane_index(), num = args.num_experts;
    const typename T::storage* logits = (const typename T::storage*)args.logits + token * args.logits_stride;
    float max = -kInfinity;
    for (int e = lane; e < num; e += kWave) max = __builtin_fmaxf(max, T::widen(logits[e]));
    max = lanes_max(max);
    float sum = 0;
    for (int e = lane; e < num; e += kWave) {
        float x = T::widen(logits[e]);
        scores[e] = args.scoring == kSigmoid ? 1.0f / (1.0f + exp_fast(-x)) : args.scoring == kSoftmax ? exp_fast(x - max) : x;
        sum += scores[e];
    }
    sum = lanes_sum(sum);
    for (int e = lane; e < num; e += kWave) {
        if (args.scoring == kSoftmax) scores[e] /= sum;
        choice[e] = scores[e] + (args.bias == nullptr ? 0.0f : args.bias[e]);
    }
    group_barrier();

    if (args.num_groups > 1) {
        int size = num / args.num_groups;
        for (int g = lane; g < args.num_groups; g += kWave) {
            float first = -kInfinity, second = -kInfinity;
            for (int e = g * size; e < (g + 1) * size; e++) {
                float x = choice[e];
                if (x > first) {
                    second = first;
                    first = x;
                } else if (x > second) {
                    second = x;
                }
            }
            groups[g] = args.group_score == kSumOfTwoBest ? first + second : first;
        }
        group_barrier();
        // Experts of groups that are not chosen drop out.
        for (int i = 0; i < args.top_k_groups; i++) {
            int best = largest_index(groups, args.num_groups);
            group_barrier();
            if (lane == 0) {
                chosen[best] = 1;
                groups[best] = -kInfinity;
            }
            group_barrier();
        }
        for (int e = lane; e < num; e += kWave) {
            if (chosen[e / size] != 1) choice[e] = -kInfinity;
        }
        group_barrier();
    }

    float total = 0, best_logit = -kInfinity;
    for (int k = 0; k < args.top_k; k++) {
        int best = largest_index(choice, num);
        group_barrier();
        float weight = scores[best];
        if (args.scoring == kSoftmaxOfChosen) {
            if (k == 0) best_logit = weight;
            weight = exp_fast(weight - best_logit);
        }
        total += weight;
        if (lane == 0) {
            args.experts[(i64)token * args.top_k + k] = best;
            args.weights[(i64)token * args.top_k + k] = weight;
            choice[best] = -kInfinity;
        }
        group_barrier();
    }
    float factor = args.scaling_factor;
    if (args.scoring == kSoftmaxOfChosen) factor /= total;
    else if (args.normalizes) factor /= args.scoring == kSigmoid ? total + 1e-20f : total;
    if (lane == 0) {
        for (int k = 0; k < args.top_k; k++) args.weights[(i64)token * args.top_k + k] *= factor;
    }
}

#define ROUTE(T, name)                                                                  \
    KERNEL(kRouteThreads) route_experts_##name(RouteExpertsArgs args) {                 \
        __shared__ float scores[kMaxExperts], choice[kMaxExperts];                      \
        __shared__ float groups[kMaxGroups], chosen[kMaxGroups];                        \
        for (int i = lane_index(); i < kMaxGroups; i += kWave) chosen[i] = 0;           \
        group_barrier();                                                                \
        route_experts<T>(args, scores, choice, groups, chosen);                         \
    }

ROUTE(BF16, bf16)
ROUTE(F16, f16)
ROUTE(F32, f32)
