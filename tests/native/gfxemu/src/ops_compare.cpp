#include "ops.h"
#include "valu.h"

#include <array>
#include <string>
#include <vector>

namespace gfxemu {
namespace {

// Predicates in the order of the opcodes.
template <int P> constexpr auto float_predicate = [](auto a, auto b) {
  switch (P) {
    case 0: return false;
    case 1: return a < b;
    case 2: return a == b;
    case 3: return a <= b;
    case 4: return a > b;
    case 5: return a < b || a > b;
    case 6: return a >= b;
    case 7: return a == a && b == b;
    case 8: return a != a || b != b;
    case 9: return !(a >= b);
    case 10: return !(a < b || a > b);
    case 11: return !(a > b);
    case 12: return !(a <= b);
    case 13: return a != b;
    case 14: return !(a < b);
    default: return true;
  }
};
template <int P> constexpr auto integer_predicate = [](auto a, auto b) {
  switch (P) {
    case 0: return false;
    case 1: return a < b;
    case 2: return a == b;
    case 3: return a <= b;
    case 4: return a > b;
    case 5: return a != b;
    case 6: return a >= b;
    default: return true;
  }
};

// Bits of the class mask: signaling NaN, quiet NaN, -inf, -normal, -denormal, -0, +0, +denormal, +normal, +inf.
bool in_class(bool negative, bool max_exponent, bool zero_exponent, bool mantissa, bool quiet, u32 classes) {
  if (max_exponent && mantissa) return classes >> (quiet ? 1 : 0) & 1;
  int kind = max_exponent ? 0 : !zero_exponent ? 1 : mantissa ? 2 : 3;
  return classes >> (negative ? 2 + kind : 9 - kind) & 1;
}
bool class_f32(u32 x, u32 c) { return in_class(x >> 31, (x >> 23 & 255) == 255, (x >> 23 & 255) == 0, x & 0x7fffff, x >> 22 & 1, c); }
bool class_f16(u16 x, u32 c) { return in_class(x >> 15, (x >> 10 & 31) == 31, (x >> 10 & 31) == 0, x & 0x3ff, x >> 9 & 1, c); }
bool class_f64(u64 x, u32 c) {
  return in_class(x >> 63, (x >> 52 & 2047) == 2047, (x >> 52 & 2047) == 0, x & 0xfffffffffffffull, x >> 51 & 1, c);
}
struct F32Bits : U32 { static constexpr Type type = Type::F32; };
struct F64Bits : U64 { static constexpr Type type = Type::F64; };

const char *const float_names[16] = {"f", "lt", "eq", "le", "gt", "lg", "ge", "o", "u", "nge", "nlg", "ngt", "nle", "neq", "nlt", "tru"};
const char *const integer_names[8] = {"f", "lt", "eq", "le", "gt", "ne", "ge", "t"};

std::vector<OpInfo> ops;

// Names live as long as the table.
const char *kept(const std::string &name) { return strdup(name.c_str()); }

void add(const std::string &rest, Handler run, Type a, Type b) {
  ops.push_back({kept("v_cmp_" + rest), run, Class::Valu, Type::Mask, {a, b, Type::None}, Compare});
  ops.push_back({kept("v_cmpx_" + rest), run, Class::Valu, Type::Mask, {a, b, Type::None}, Compare | WritesExec});
}
template <class T, int... P> void add_floats(const char *type, std::integer_sequence<int, P...>) {
  (add(std::string(float_names[P]) + type, compare<T, T, float_predicate<P>>, T::type, T::type), ...);
  add(std::string("t") + type, compare<T, T, float_predicate<15>>, T::type, T::type);
}
template <class T, int... P> void add_integers(const char *type, std::integer_sequence<int, P...>) {
  (add(std::string(integer_names[P]) + type, compare<T, T, integer_predicate<P>>, T::type, T::type), ...);
}

}  // namespace

OpTable compare_ops() {
  if (ops.empty()) {
    auto sixteen = std::make_integer_sequence<int, 16>();
    auto eight = std::make_integer_sequence<int, 8>();
    add_floats<F16>("_f16", sixteen);
    add_floats<F32>("_f32", sixteen);
    add_floats<F64>("_f64", sixteen);
    add_integers<U16>("_u16", eight);
    add_integers<I16>("_i16", eight);
    add_integers<U32>("_u32", eight);
    add_integers<I32>("_i32", eight);
    add_integers<U64>("_u64", eight);
    add_integers<I64>("_i64", eight);
    add("class_f16", compare<H16, U32, class_f16>, Type::F16, Type::U32);
    add("class_f32", compare<F32Bits, U32, class_f32>, Type::F32, Type::U32);
    add("class_f64", compare<F64Bits, U32, class_f64>, Type::F64, Type::U32);
  }
  return ops;
}

}  // namespace gfxemu
