// How a query row ends: the factor of its weighted sum of values, and its LSE.
#pragma once
#include "../common/numeric.h"

struct RowEnd {
    float factor;  // 1 / denominator
    float lse;     // natural logarithm of the denominator; −∞ without keys

    // max in base 2, sum of the row's 2^(score − max); the sink joins the denominator of rows that have keys. A NaN score makes the sum NaN, not zero.
    DEVICE RowEnd make(float max, float sum, bool has_sink, float sink) {
        if (sum == 0) return {0, -kInfinity};
        float factor = 1;
        if (has_sink) {
            float at = sink * kLog2E, top = __builtin_fmaxf(max, at);
            factor = exp2_fast(max - top);
            sum = sum * factor + exp2_fast(at - top);
            max = top;
        }
        return {factor / sum, (max + log2_fast(sum)) * kLn2};
    }
};
