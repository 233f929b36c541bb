#include "modifiers.h"

#include "valu.h"

namespace gfxemu {
namespace {

// The lane that lane l reads, or -1 where the control has none.
int dpp_source(const Dpp &d, int l, int lanes) {
  if (d.is8) return (l & ~7) | (int)(d.selectors >> (3 * (l & 7)) & 7);
  int c = d.control, row = l & ~15, n = l & 15;
  if (c < 0x100) return (l & ~3) | (c >> (2 * (l & 3)) & 3);
  if (c > 0x100 && c < 0x110) return n + (c & 15) < 16 ? l + (c & 15) : -1;
  if (c > 0x110 && c < 0x120) return n >= (c & 15) ? l - (c & 15) : -1;
  if (c > 0x120 && c < 0x130) return row | ((n - (c & 15)) & 15);
  switch (c) {
    case 0x130: return l + 1 < lanes ? l + 1 : -1;
    case 0x134: return (l + 1) & (lanes - 1);
    case 0x138: return l > 0 ? l - 1 : -1;
    case 0x13c: return (l - 1) & (lanes - 1);
    case 0x140: return row | (15 - n);
    case 0x141: return row | (n & 8) | (7 - (n & 7));
    case 0x142: return row >= 16 ? row - 1 : -1;
    case 0x143: return l >= 32 ? 31 : -1;
  }
  if (c >= 0x150 && c < 0x160) return row | (c & 15);
  if (c >= 0x160 && c < 0x170) return row | (n ^ (c & 15));
  return -2;
}

u32 select(u32 v, int part, bool sext) {
  if (part < 4) {
    v = v >> (8 * part) & 255;
    return sext ? (u32)(i32)(i8)v : v;
  }
  if (part < 6) {
    v = v >> (16 * (part - 4)) & 0xffff;
    return sext ? (u32)(i32)(i16)v : v;
  }
  return v;
}

}  // namespace

void run_dpp(Wave &w, const Inst &i) {
  const Dpp &d = i.dpp;
  int words = dwords(i.op->src[0], (int)w.lanes);
  u64 exec = w.exec, enabled = 0;
  for (int word = 0; word < words; word++) {
    const u32 *src = w.row(i.src[0] + (u32)word);
    u32 *to = w.row(ShuffledSource0 + (word ? 6u : 0u));
    for (int l = 0; l < (int)w.lanes; l++) {
      int from = dpp_source(d, l, (int)w.lanes);
      if (from == -2) w.fail(719, format("DPP control 0x%x is not modelled", d.control));
      bool valid = from >= 0 && (d.fetch_inactive || exec >> from & 1);
      to[l] = valid ? src[from] : 0;
      bool on = d.is8 || (d.row_mask >> (l >> 4) & 1 && d.bank_mask >> ((l & 15) >> 2) & 1);
      if (on && (valid || d.bound_ctrl || d.is8)) enabled |= 1ull << l;
    }
  }
  if (words == 2) memcpy(w.row(ShuffledSource0 + 1), w.row(ShuffledSource0 + 6), sizeof(u32) * MaxLanes);
  w.set_exec(exec & enabled);
  i.inner->run(w, *i.inner);
  if (!(i.op->flags & WritesExec)) w.set_exec(exec);
}

void run_sdwa(Wave &w, const Inst &i) {
  const Sdwa &s = i.sdwa;
  for (int k = 0; k < 2; k++) {
    if (i.op->src[k] == Type::None || (k == 1 && i.op->flags & Accumulates && i.op->src[2] == Type::None)) continue;
    u32 *to = w.row(k ? ShuffledSource1 : ShuffledSource0);
    u32 reg = i.src[k], value = reg < Vgpr ? scalar(w, i, k) : 0;
    for (int l = 0; l < MaxLanes; l++) to[l] = select(reg >= Vgpr ? w.row(reg)[l] : value, s.select[k], s.sext[k]);
  }
  if (i.op->flags & Compare) {
    i.inner->run(w, *i.inner);
    return;
  }
  u32 *result = w.row(ShuffledResult), *old = w.row(i.dst);
  int words = dwords(i.op->dst, (int)w.lanes);
  memcpy(result, old, sizeof(u32) * MaxLanes);
  i.inner->run(w, *i.inner);
  // Two words, as of v_cvt_pk_f32_fp8, are written whole whatever the selector says.
  if (words == 2) write_row(w, i.dst + 1, w.row(ShuffledResult + 1));
  if (words == 2 || s.dst_select >= 6) { write_row(w, i.dst, result); return; }
  u32 bits = s.dst_select < 4 ? 8 : 16, shift = s.dst_select < 4 ? 8 * s.dst_select : 16 * (s.dst_select - 4);
  u32 field = (bits == 8 ? 255u : 0xffffu) << shift;
  Lanes r;
  for (int l = 0; l < MaxLanes; l++) {
    u32 v = result[l] << shift & field;
    if (s.dst_unused == 2) v |= old[l] & ~field;
    else if (s.dst_unused == 1 && v >> (shift + bits - 1) & 1 && shift + bits < 32) v |= ~0u << (shift + bits);
    r.v[l] = v;
  }
  write_row(w, i.dst, r.v);
}

// Both halves read their sources before either writes: X writes to a row of its own first.
void run_dual(Wave &w, const Inst &i) {
  i.inner->run(w, *i.inner);
  i.inner2->run(w, *i.inner2);
  write_row(w, i.dst, w.row(ShuffledResult));
}

}  // namespace gfxemu
