#include "atomics.h"

#include <algorithm>

namespace gfxemu {
namespace {

u32 add_halves(u32 a, u32 b, bool bf16) {
  u32 r = 0;
  for (int shift = 0; shift < 32; shift += 16) {
    u16 x = (u16)(a >> shift), y = (u16)(b >> shift);
    u16 sum = bf16 ? f32_to_bf16(bf16_to_f32(x) + bf16_to_f32(y)) : f32_to_half(half_to_f32(x) + half_to_f32(y));
    r |= (u32)sum << shift;
  }
  return r;
}

template <class U, class S, class F> U updated(AtomicOp op, U old, U value, U compare) {
  auto number = [](U x) { return std::bit_cast<F>(x); };
  switch (op) {
    case AtomicOp::Swap: return value;
    case AtomicOp::CmpSwap: return old == compare ? value : old;
    case AtomicOp::CmpSwapF: return number(old) == number(compare) ? value : old;
    case AtomicOp::Add: return old + value;
    case AtomicOp::Sub: return old - value;
    case AtomicOp::RSub: return value - old;
    case AtomicOp::SMin: return (U)std::min((S)old, (S)value);
    case AtomicOp::UMin: return std::min(old, value);
    case AtomicOp::SMax: return (U)std::max((S)old, (S)value);
    case AtomicOp::UMax: return std::max(old, value);
    case AtomicOp::And: return old & value;
    case AtomicOp::Or: return old | value;
    case AtomicOp::Xor: return old ^ value;
    case AtomicOp::Inc: return old >= value ? 0 : old + 1;
    case AtomicOp::Dec: return old == 0 || old > value ? value : old - 1;
    case AtomicOp::AddF: return std::bit_cast<U>(number(old) + number(value));
    case AtomicOp::MinF: return std::bit_cast<U>(min_num(number(old), number(value)));
    case AtomicOp::MaxF: return std::bit_cast<U>(max_num(number(old), number(value)));
    case AtomicOp::MskOr: return (old & ~value) | compare;
    case AtomicOp::CSub: return old >= value ? old - value : 0;
    case AtomicOp::Wrap: return old >= value ? old - value : old + compare;
    case AtomicOp::PkAddF16: return (U)add_halves((u32)old, (u32)value, false);
    case AtomicOp::PkAddBF16: return (U)add_halves((u32)old, (u32)value, true);
  }
  return old;
}

template <class U, class S, class F> U apply(U *p, AtomicOp op, U value, U compare) {
  U old = __atomic_load_n(p, __ATOMIC_SEQ_CST);
  while (!__atomic_compare_exchange_n(p, &old, updated<U, S, F>(op, old, value, compare), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {}
  return old;
}

}  // namespace

u64 atomic_apply(void *p, const MemoryInfo &info, u64 value, u64 compare) {
  if (info.bytes == 8) return apply<u64, i64, double>((u64 *)p, info.atomic, value, compare);
  return apply<u32, i32, float>((u32 *)p, info.atomic, (u32)value, (u32)compare);
}

}  // namespace gfxemu
