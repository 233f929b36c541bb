#include "memory_ops.h"
#include "ops.h"
#include "transfer.h"

namespace gfxemu {
namespace {

// With race checking on: between two barriers, what a wave writes no other wave may touch.
void check_race(Wave &w, u32 offset, u32 bytes, bool write, bool atomic, int lane) {
  Group &g = *w.group;
  u16 me = (u16)(w.id + 1);
  for (u32 word = offset / 4; word <= (offset + bytes - 1) / 4; word++) {
    Group::RaceCell &c = g.races[word];
    bool others_wrote = c.write_epoch == g.epoch && c.writer && c.writer != me;
    bool others_read = c.read_epoch == g.epoch && c.reader && c.reader != me;
    // A writer number above 0x8000 stands for atomics, which may meet.
    if (others_wrote && !(atomic && c.writer & 0x8000))
      w.fail(719, format("lane %d of wave %u %s LDS at %u, which wave %d wrote since the last barrier", lane, w.id, write ? "writes" : "reads", word * 4, (c.writer & 0x7fff) - 1));
    if (write && !atomic && others_read)
      w.fail(719, format("lane %d of wave %u writes LDS at %u, which another wave read since the last barrier", lane, w.id, word * 4));
    if (write) { c.write_epoch = g.epoch; c.writer = atomic ? (u16)(0x8000 | me) : me; }
    else {
      c.reader = c.read_epoch == g.epoch && c.reader && c.reader != me ? 0x7fff : me;
      c.read_epoch = g.epoch;
    }
  }
}

}  // namespace

u8 *lds_at(Wave &w, u32 offset, u32 bytes, bool write, bool atomic, int lane) {
  Group &g = *w.group;
  if (offset > g.lds_bytes || bytes > g.lds_bytes - offset)
    w.fail(700, format("lane %d %s %u bytes of LDS at %u, of %u bytes", lane, write ? "writes" : "reads", bytes, offset, g.lds_bytes));
  if (w.launch->check_races) check_race(w, offset, bytes, write, atomic, lane);
  return g.lds + offset;
}

namespace {

void lds_atomic(Wave &w, const Inst &i, int lane, u32 address) {
  const MemoryInfo &m = *i.memory;
  u64 first = register_value(w, i.src[1], lane, m.bytes);
  u64 second = i.vdata2 != NoOperand ? register_value(w, i.vdata2, lane, m.bytes) : 0;
  // gfx9 has the compared value first, gfx11 the new one.
  bool compares = m.atomic == AtomicOp::CmpSwap || m.atomic == AtomicOp::CmpSwapF;
  if (compares && !w.launch->gfx11) std::swap(first, second);
  u64 old = atomic_apply(lds_at(w, address, m.bytes, true, true, lane), m, first, second);
  if (m.returns) put_value(w, i.dst, lane, m.bytes, old);
}

}  // namespace

void run_lds(Wave &w, const Inst &i) {
  const MemoryInfo &m = *i.memory;
  u32 bytes = m.bytes, dwords = bytes / 4;
  each_lane(w, [&](int lane) {
    u32 address = cell(w, i.src[0], lane);
    u32 at = address + (u32)i.offset, at2 = address + (u32)i.offset2;
    switch (m.op) {
      case MemoryOp::Load: put(w, i, i.dst, lane, lds_at(w, at, bytes, false, false, lane)); break;
      case MemoryOp::Store: get(w, i, i.src[1], lane, lds_at(w, at, bytes, true, false, lane)); break;
      case MemoryOp::Load2: {
        u32 values[4];
        memcpy(values, lds_at(w, at, bytes, false, false, lane), bytes);
        memcpy(values + dwords, lds_at(w, at2, bytes, false, false, lane), bytes);
        for (u32 n = 0; n < 2 * dwords; n++) cell(w, i.dst + n, lane) = values[n];
        break;
      }
      case MemoryOp::Store2:
        get(w, i, i.src[1], lane, lds_at(w, at, bytes, true, false, lane));
        get(w, i, i.vdata2, lane, lds_at(w, at2, bytes, true, false, lane));
        break;
      case MemoryOp::Exchange2: {
        u8 *p = lds_at(w, at, bytes, true, false, lane), *q = lds_at(w, at2, bytes, true, false, lane);
        u32 values[4];
        memcpy(values, p, bytes);
        memcpy(values + dwords, q, bytes);
        get(w, i, i.src[1], lane, p);
        get(w, i, i.vdata2, lane, q);
        for (u32 n = 0; n < 2 * dwords; n++) cell(w, i.dst + n, lane) = values[n];
        break;
      }
      case MemoryOp::Atomic: lds_atomic(w, i, lane, at); break;
      case MemoryOp::Nothing: break;
    }
  });
}

void run_lane_permute(Wave &w, const Inst &i) {
  std::string_view name = base_name(i);
  int lanes = (int)w.lanes;
  u32 result[MaxLanes] = {};
  if (name == "ds_permute_b32") {
    each_lane(w, [&](int lane) { result[(cell(w, i.src[0], lane) + (u32)i.offset) >> 2 & (u32)(lanes - 1)] = cell(w, i.src[1], lane); });
  } else {
    bool swizzle = name == "ds_swizzle_b32";
    u32 pattern = (u32)i.offset;
    if (swizzle && pattern >= 0xe000) w.fail(719, format("ds_swizzle pattern 0x%x is not modelled", pattern));
    for (u32 lane = 0; lane < (u32)lanes; lane++) {
      u32 from;
      if (!swizzle) from = (cell(w, i.src[0], (int)lane) + pattern) >> 2 & (u32)(lanes - 1);
      else if (pattern >= 0xc000) {  // rotate within 32 lanes; the mask's bits stay
        u32 n = pattern >> 5 & 31, mask = pattern & 31, k = lane & 31;
        from = (lane & 32) | ((k & mask) | ((pattern & 0x400 ? k - n : k + n) & ~mask & 31));
      } else if (pattern & 0x8000) from = (lane & ~3u) | (pattern >> (2 * (lane & 3)) & 3);
      else from = (lane & 32) | ((((lane & 31) & (pattern & 31)) | (pattern >> 5 & 31)) ^ (pattern >> 10 & 31));
      u32 source = swizzle ? i.src[0] : i.src[1];
      result[lane] = w.exec >> from & 1 ? cell(w, source, (int)from) : 0;
    }
  }
  each_lane(w, [&](int lane) { cell(w, i.dst, lane) = result[lane]; });
}

}  // namespace gfxemu
