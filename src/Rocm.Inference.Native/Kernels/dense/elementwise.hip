// Ops on rows whose elements do not meet: add, scale, soft_cap, gated_activation, gate_rows, gather_rows (embedding too).
//
// Work: a grid of (rows, columns / (256 · V)) groups of 256 threads, V neighbouring elements a thread: 16 bytes. Bytes: each operand once, in loads
// and stores of 16 bytes where a row allows.
#include "../common/wave.h"

struct ElementwiseArgs {
    const void* x;        // [rows, columns], see each kernel
    const void* other;    // gate, rows or ids
    void* y;
    i64 x_stride, other_stride, y_stride;   // in elements
    int num_rows;         // of x, where rows are chosen by index
    int columns;
    int kind;             // Activation
    float factor;         // scale, cap or limit
};

constexpr int kElementThreads = 256;
constexpr int kVector = 16 / T::kBytes;
typedef T::storage Element;

struct Elements {
    float v[kVector];
};

DEVICE int element_row() { return group_x(); }
DEVICE int element_column() { return (group_y() * kElementThreads + thread_index()) * kVector; }

union Words {
    u32x4 words;
    Element elements[kVector];
};

// The elements at a column; zeros past the row's end.
DEVICE Elements load_elements(const Element* address, int left) {
    Words words;
    if (left >= kVector && ((u64)address & 15) == 0) {
        words.words = load16(address);
    } else {
        for (int i = 0; i < kVector; i++) words.elements[i] = i < left ? address[i] : (Element)0;
    }
    Elements result;
    for (int i = 0; i < kVector; i++) result.v[i] = T::widen(words.elements[i]);
    return result;
}

DEVICE void store_elements(Element* address, int left, const Elements& values) {
    Words words;
    for (int i = 0; i < kVector; i++) words.elements[i] = T::round(values.v[i]);
    if (left >= kVector && ((u64)address & 15) == 0) {
        store16(address, words.words);
    } else {
        for (int i = 0; i < kVector; i++) {
            if (i < left) address[i] = words.elements[i];
        }
    }
}

// Near 0 the difference below would lose its digits: there the series up to x⁷.
DEVICE float tanh_exact(float x) {
    float magnitude = __builtin_fabsf(x);
    float square = x * x;
    if (magnitude < 0.125f) return x * (1.0f + square * (-0.33333333f + square * (0.13333333f - 0.053968254f * square)));
    float e = exp_fast(-2.0f * magnitude);
    return __builtin_copysignf((1.0f - e) / (1.0f + e), x);
}

// Abramowitz and Stegun 7.1.26 is off by 1.5e-7, below the rounding of the result.
DEVICE float erf_approximate(float x) {
    float a = __builtin_fabsf(x), t = 1.0f / (1.0f + 0.3275911f * a);
    float p = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f) * t;
    return __builtin_copysignf(1.0f - p * exp_fast(-a * a), x);
}

enum Activation : int { kSilu = 0, kGeluTanh = 1, kGelu = 2, kClampedSwiGlu = 3 };

DEVICE float activate(int kind, float gate, float up, float limit) {
    if (kind == kSilu) return gate / (1.0f + exp_fast(-gate)) * up;
    if (kind == kGeluTanh) return 0.5f * gate * (1.0f + tanh_exact(0.7978845608028654f * (gate + 0.044715f * gate * gate * gate))) * up;
    if (kind == kGelu) return 0.5f * gate * (1.0f + erf_approximate(gate * 0.7071067811865476f)) * up;
    gate = __builtin_fminf(gate, limit);
    up = __builtin_fmaxf(__builtin_fminf(up, limit), -limit);
    return gate / (1.0f + exp_fast(-1.702f * gate)) * (up + 1.0f);
}

struct Place {
    const Element* x;
    Element* y;
    int left;   // elements up to the row's end

    DEVICE Place of(const ElementwiseArgs& args, i64 x_row) {
        int column = element_column();
        return {(const Element*)args.x + x_row * args.x_stride + column, (Element*)args.y + element_row() * args.y_stride + column, args.columns - column};
    }
};

// T: the element type.
KERNEL(kElementThreads) add(ElementwiseArgs args) {
    Place place = Place::of(args, element_row());
    if (place.left <= 0) return;
    Elements x = load_elements(place.x, place.left), y = load_elements(place.y, place.left);
    for (int i = 0; i < kVector; i++) y.v[i] += x.v[i];
    store_elements(place.y, place.left, y);
}

KERNEL(kElementThreads) scale(ElementwiseArgs args) {
    Place place = Place::of(args, 0);
    if (place.left <= 0) return;
    Elements y = load_elements(place.y, place.left);
    for (int i = 0; i < kVector; i++) y.v[i] *= args.factor;
    store_elements(place.y, place.left, y);
}

KERNEL(kElementThreads) soft_cap(ElementwiseArgs args) {
    Place place = Place::of(args, 0);
    if (place.left <= 0) return;
    Elements y = load_elements(place.y, place.left);
    for (int i = 0; i < kVector; i++) y.v[i] = args.factor * tanh_exact(y.v[i] / args.factor);
    store_elements(place.y, place.left, y);
}

// x is [rows, 2 · columns]: gate, then up.
KERNEL(kElementThreads) gated_activation(ElementwiseArgs args) {
    Place place = Place::of(args, element_row());
    if (place.left <= 0) return;
    Elements gate = load_elements(place.x, place.left), up = load_elements(place.x + args.columns, place.left), y;
    for (int i = 0; i < kVector; i++) y.v[i] = activate(args.kind, gate.v[i], up.v[i], args.factor);
    store_elements(place.y, place.left, y);
}

// other is the gate, [rows, 1].
KERNEL(kElementThreads) gate_rows(ElementwiseArgs args) {
    Place place = Place::of(args, 0);
    if (place.left <= 0) return;
    float gate = 1.0f / (1.0f + exp_fast(-T::widen(((const Element*)args.other)[element_row() * args.other_stride])));
    Elements y = load_elements(place.y, place.left);
    for (int i = 0; i < kVector; i++) y.v[i] *= gate;
    store_elements(place.y, place.left, y);
}

// other is the rows of x, i32: token ids where x is a table. A row that x does not have gives NaN, which is seen, instead of a read outside.
KERNEL(kElementThreads) gather_rows(ElementwiseArgs args) {
    int row = ((const int*)args.other)[element_row()];
    bool has_row = (u32)row < (u32)args.num_rows;
    Place place = Place::of(args, has_row ? row : 0);
    if (place.left <= 0) return;
    Elements x;
    for (int i = 0; i < kVector; i++) x.v[i] = __builtin_nanf("");
    if (has_row) x = load_elements(place.x, place.left);
    for (int i = 0; i < kVector; i++) x.v[i] *= args.factor;
    store_elements(place.y, place.left, x);
}
