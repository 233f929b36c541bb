// What a load, store or atomic does with one lane's element, wherever it lies.
#pragma once
#include "atomics.h"
#include "wave.h"

namespace gfxemu {

// The workgroup's LDS at an offset: checks bounds and, when asked for, races.
u8 *lds_at(Wave &w, u32 offset, u32 bytes, bool write, bool atomic, int lane);

inline u32 &cell(Wave &w, u32 operand, int lane) { return w.row(operand)[lane]; }

inline u32 extend(const MemoryInfo &m, u32 v) {
  if (m.bytes == 1) return m.sign ? (u32)(i32)(i8)v : v & 0xff;
  if (m.bytes == 2) return m.sign ? (u32)(i32)(i16)v : v & 0xffff;
  return v;
}

// Puts what was read into the lane's registers.
inline void put(Wave &w, const Inst &i, u32 operand, int lane, const u8 *p) {
  const MemoryInfo &m = *i.memory;
  if (m.bytes < 4) {
    u32 v = 0;
    memcpy(&v, p, m.bytes);
    v = extend(m, v);
    u32 &d = cell(w, operand, lane);
    d = m.d16 == 1 ? (d & 0xffff0000) | (v & 0xffff) : m.d16 == 2 ? (d & 0xffff) | v << 16 : v;
    return;
  }
  for (int n = 0; n < m.bytes / 4; n++) memcpy(&cell(w, operand + (u32)n, lane), p + 4 * n, 4);
}

inline void get(Wave &w, const Inst &i, u32 operand, int lane, u8 *p) {
  const MemoryInfo &m = *i.memory;
  if (m.bytes < 4) {
    u32 v = cell(w, operand, lane) >> (m.d16 == 2 ? 16 : 0);
    memcpy(p, &v, m.bytes);
    return;
  }
  for (int n = 0; n < m.bytes / 4; n++) memcpy(p + 4 * n, &cell(w, operand + (u32)n, lane), 4);
}

inline u64 register_value(Wave &w, u32 operand, int lane, int bytes) {
  return bytes == 8 ? join(cell(w, operand, lane), cell(w, operand + 1, lane)) : cell(w, operand, lane);
}

inline void put_value(Wave &w, u32 operand, int lane, int bytes, u64 value) {
  cell(w, operand, lane) = (u32)value;
  if (bytes == 8) cell(w, operand + 1, lane) = (u32)(value >> 32);
}

// Atomics outside of LDS: the value and, behind it, what is compared.
inline void atomic(Wave &w, const Inst &i, u32 data, int lane, u8 *p) {
  const MemoryInfo &m = *i.memory;
  if ((u64)p % m.bytes) w.fail(700, format("lane %d: atomic at 0x%llx, which is not a multiple of %d", lane, (unsigned long long)p, m.bytes));
  bool compares = m.atomic == AtomicOp::CmpSwap || m.atomic == AtomicOp::CmpSwapF;
  u64 value = register_value(w, data, lane, m.bytes);
  u64 compare = compares ? register_value(w, data + (m.bytes == 8 ? 2u : 1u), lane, m.bytes) : 0;
  u64 old = atomic_apply(p, m, value, compare);
  if (i.glc) put_value(w, i.dst, lane, m.bytes, old);
}

inline void transfer(Wave &w, const Inst &i, int lane, u8 *p) {
  switch (i.memory->op) {
    case MemoryOp::Load: put(w, i, i.dst, lane, p); break;
    case MemoryOp::Store: get(w, i, i.src[1], lane, p); break;
    case MemoryOp::Atomic: atomic(w, i, i.src[1], lane, p); break;
    default: break;
  }
}

template <class F> void each_lane(const Wave &w, F f) {
  for (u64 left = w.exec; left; left &= left - 1) f(std::countr_zero(left));
}

// Direct loads to LDS go lane after lane, from M0 on.
inline u32 lds_target(const Wave &w, const Inst &i, int lane) { return (w.s[M0] & 0xffff) + (u32)i.offset + (u32)lane * 4; }

}  // namespace gfxemu
