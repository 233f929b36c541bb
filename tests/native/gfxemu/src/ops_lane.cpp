// Moves between lanes, between register files, and by a lane mask.
#include "ops.h"
#include "valu.h"

namespace gfxemu {
namespace {

u32 lane_of(Wave &w, const Inst &i, int k) { return (i.src[k] >= Vgpr ? w.row(i.src[k])[0] : scalar(w, i, k)) & (w.lanes - 1); }

void readfirstlane(Wave &w, const Inst &i) {
  u32 lane = w.exec ? (u32)std::countr_zero(w.exec) : 0;
  w.scalar_write(i.dst, i.src[0] >= Vgpr ? w.row(i.src[0])[lane] : scalar(w, i, 0));
}
void readlane(Wave &w, const Inst &i) {
  u32 lane = lane_of(w, i, 1);
  w.scalar_write(i.dst, i.src[0] >= Vgpr ? w.row(i.src[0])[lane] : scalar(w, i, 0));
}
void writelane(Wave &w, const Inst &i) { w.row(i.dst)[lane_of(w, i, 1)] = i.src[0] >= Vgpr ? w.row(i.src[0])[0] : scalar(w, i, 0); }

template <int Bits> void cndmask(Wave &w, const Inst &i) {
  Lanes b0, b1, r;
  const u32 *no = fetch(w, i, 0, b0), *yes = fetch(w, i, 1, b1);
  u64 m = i.src[2] < 128 ? w.mask_read(i.src[2]) : i.k[2];
  for (int l = 0; l < MaxLanes; l++) r.v[l] = m >> l & 1 ? yes[l] : no[l];
  if (Bits == 16) finish_half(w, i, r);
  else write_row(w, i.dst, r.v);
}

void swap(Wave &w, const Inst &i) {
  Lanes a, b;
  memcpy(a.v, w.row(i.dst), sizeof a.v);
  memcpy(b.v, w.row(i.src[0]), sizeof b.v);
  write_row(w, i.dst, b.v);
  write_row(w, i.src[0], a.v);
}

// Source lanes by 16 nibbles in two scalars, within a row of 16 or (Cross) from the row beside it. op_sel: fetch inactive lanes, bound control.
template <bool Cross> void permlane16(Wave &w, const Inst &i) {
  const u32 *src = w.row(i.src[0]), *old = w.row(i.dst);
  u64 selectors = join(i.src[1] >= Vgpr ? w.row(i.src[1])[0] : scalar(w, i, 1), i.src[2] >= Vgpr ? w.row(i.src[2])[0] : scalar(w, i, 2));
  Lanes r;
  for (u32 l = 0; l < MaxLanes; l++) {
    u32 from = ((l & ~15u) ^ (Cross ? 16 : 0)) | (u32)(selectors >> (4 * (l & 15)) & 15);
    bool readable = i.opsel & 1 || (w.exec >> from & 1);
    r.v[l] = readable ? src[from] : i.opsel & 2 ? 0 : old[l];
  }
  write_row(w, i.dst, r.v);
}
void permlane64(Wave &w, const Inst &i) {
  if (w.lanes == 32) { write_row(w, i.dst, w.row(i.src[0])); return; }
  Lanes r;
  for (u32 l = 0; l < MaxLanes; l++) r.v[l] = w.row(i.src[0])[l ^ 32];
  write_row(w, i.dst, r.v);
}

// Register indexing by M0: the source (s) or the destination (d) is that many registers further on.
template <bool Source, bool Destination> void movrel(Wave &w, const Inst &i) {
  u32 index = w.s[M0], source = i.src[0] + (Source ? index : 0), destination = i.dst + (Destination ? index : 0);
  if ((Source && source >= Agpr) || (Destination && destination >= Agpr)) w.fail(719, format("register index %u leaves the vector registers", index));
  if (i.src[0] < Vgpr) { Lanes r; u32 v = scalar(w, i, 0); for (u32 &x : r.v) x = v; write_row(w, destination, r.v); return; }
  Lanes r;
  memcpy(r.v, w.row(source), sizeof r.v);
  write_row(w, destination, r.v);
}

constexpr OpInfo one(const char *name, Handler run, u16 flags = 0) { return {name, run, Class::Valu, Type::U32, {Type::U32, Type::None, Type::None}, flags}; }

const OpInfo table[] = {
  one("v_readfirstlane_b32", readfirstlane, ScalarDst),
  {"v_readlane_b32", readlane, Class::Valu, Type::U32, {Type::U32, Type::U32, Type::None}, ScalarDst},
  {"v_writelane_b32", writelane, Class::Valu, Type::U32, {Type::U32, Type::U32, Type::None}, 0},
  {"v_cndmask_b32", cndmask<32>, Class::Valu, Type::U32, {Type::F32, Type::F32, Type::Mask}, CarryIn},
  {"v_cndmask_b16", cndmask<16>, Class::Valu, Type::U16, {Type::F16, Type::F16, Type::Mask}, CarryIn},
  one("v_swap_b32", swap),
  {"v_permlane16_b32", permlane16<false>, Class::Valu, Type::U32, {Type::U32, Type::U32, Type::U32}, Any32},
  {"v_permlanex16_b32", permlane16<true>, Class::Valu, Type::U32, {Type::U32, Type::U32, Type::U32}, Any32},
  one("v_permlane64_b32", permlane64),
  one("v_movrels_b32", movrel<true, false>),
  one("v_movreld_b32", movrel<false, true>),
  one("v_movrelsd_b32", movrel<true, true>),
  valu<U32(U32), [](u32 a) { return a; }>("v_accvgpr_read_b32"),
  valu<U32(U32), [](u32 a) { return a; }>("v_accvgpr_write_b32"),
  valu<U32(U32), [](u32 a) { return a; }>("v_accvgpr_mov_b32"),
};

}  // namespace

OpTable lane_ops() { return table; }

}  // namespace gfxemu
