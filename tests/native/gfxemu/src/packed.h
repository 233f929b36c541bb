// Operations on the two halves of a register.
#pragma once
#include "valu.h"

namespace gfxemu {

float fma_to_odd(float a, float b, float c);

// The source's row with nothing applied to it.
inline const u32 *raw_row(Wave &w, const Inst &i, int k, Lanes &buffer) {
  if (i.src[k] >= Vgpr) return w.row(i.src[k]);
  u32 value = scalar(w, i, k);
  for (u32 &x : buffer.v) x = value;
  return buffer.v;
}

// Half `high` of the result takes the half of source k that op_sel or op_sel_hi names.
inline int packed_shift(const Inst &i, int k, bool high) { return (high ? i.opsel_hi : i.opsel) >> k & 1 ? 16 : 0; }
inline bool packed_negated(const Inst &i, int k, bool high) { return (high ? i.neg_hi : i.neg) >> k & 1; }

}  // namespace gfxemu
