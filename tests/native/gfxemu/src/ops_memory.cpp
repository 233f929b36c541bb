// Global, flat, scratch and buffer accesses.
#include "address_space.h"
#include "memory_ops.h"
#include "transfer.h"

namespace gfxemu {
namespace {

bool writes(const Inst &i) { return i.memory->op != MemoryOp::Load; }

u8 *scratch_at(Wave &w, u32 offset, u32 bytes, int lane) {
  u32 size = w.launch->scratch_bytes;
  if (offset > size || bytes > size - offset) w.fail(700, format("lane %d touches %u bytes of scratch at %u, of %u bytes", lane, bytes, offset, size));
  return w.scratch + (size_t)lane * size + offset;
}
// Direct to LDS: lane after lane from M0 on.
void load_to_lds(Wave &w, const Inst &i, int lane, const u8 *p, bool in_bounds, u32 target) {
  u32 v = 0;
  u32 bytes = i.memory->bytes;
  if (in_bounds) memcpy(&v, p, bytes < 4 ? bytes : 4);
  v = extend(*i.memory, v);
  memcpy(lds_at(w, target, 4, true, false, lane), &v, 4);
}

// The same address registers may be what a load writes, but only in the lane that is done.
u64 vector_address(Wave &w, const Inst &i, int lane) {
  if (i.saddr != NoOperand) return join(w.s[i.saddr], w.s[i.saddr + 1]) + (i.src[0] == NoOperand ? 0 : cell(w, i.src[0], lane)) + (u64)(i64)i.offset;
  return join(cell(w, i.src[0], lane), cell(w, i.src[0] + 1, lane)) + (u64)(i64)i.offset;
}

}  // namespace

void run_global(Wave &w, const Inst &i) {
  const AddressSpace &memory = *w.launch->memory;
  bool write = writes(i);
  if (i.memory->to_lds) {
    each_lane(w, [&](int lane) {
      u64 address = vector_address(w, i, lane) - (u64)(i64)i.offset;
      load_to_lds(w, i, lane, memory.access(w, address + (u64)(i64)i.offset, i.memory->bytes, false, lane), true, lds_target(w, i, lane));
    });
    return;
  }
  each_lane(w, [&](int lane) { transfer(w, i, lane, memory.access(w, vector_address(w, i, lane), i.memory->bytes, write, lane)); });
}

void run_flat(Wave &w, const Inst &i) {
  const AddressSpace &memory = *w.launch->memory;
  bool write = writes(i);
  u32 bytes = i.memory->bytes;
  each_lane(w, [&](int lane) {
    u64 address = vector_address(w, i, lane);
    u8 *p;
    if (address >> 32 == SharedAperture >> 32) p = lds_at(w, (u32)address, bytes, write, i.memory->op == MemoryOp::Atomic, lane);
    else if (address >> 32 == PrivateAperture >> 32) p = scratch_at(w, (u32)address, bytes, lane);
    else p = memory.access(w, address, bytes, write, lane);
    transfer(w, i, lane, p);
  });
}

void run_scratch(Wave &w, const Inst &i) {
  u32 base = (u32)i.offset + (i.saddr == NoOperand ? 0 : w.s[i.saddr]);
  each_lane(w, [&](int lane) {
    u32 offset = base + (i.src[0] == NoOperand ? 0 : cell(w, i.src[0], lane));
    transfer(w, i, lane, scratch_at(w, offset, i.memory->bytes, lane));
  });
}

namespace {

// A buffer descriptor. What lies outside of it reads as 0 and is not written.
struct Descriptor {
  u64 base, records;
  u32 stride;
  bool raw;
  bool whole_element;       // gfx11 wants every byte inside; gfx9 looks at the start of each dword
};

Descriptor descriptor(Wave &w, const Inst &i) {
  const u32 *r = &w.s[i.src[2]];
  Descriptor d{join(r[0], r[1] & 0xffff), r[2], r[1] >> 16 & 0x3fff, true, w.launch->gfx11};
  if (w.launch->gfx11) {
    u32 mode = r[3] >> 28 & 3;
    d.raw = d.stride == 0 || mode >= 2;
    if (mode == 2) d.records = d.records ? ~0ull >> 1 : 0;
  } else {
    // Without an index num_records counts bytes, whatever the stride.
    d.raw = d.stride == 0 || !i.idxen;
  }
  return d;
}

}  // namespace

void run_buffer(Wave &w, const Inst &i) {
  const AddressSpace &memory = *w.launch->memory;
  const MemoryInfo &m = *i.memory;
  Descriptor d = descriptor(w, i);
  u32 soffset = i.saddr < 128 ? w.s[i.saddr] : (u32)i.k[0];
  bool write = writes(i), to_lds = i.lds || m.to_lds;
  each_lane(w, [&](int lane) {
    u64 index = i.idxen ? cell(w, i.src[0], lane) : 0;
    u64 offset = (u64)(i.offen ? cell(w, i.src[0] + (i.idxen ? 1u : 0u), lane) : 0) + (u32)i.offset;
    u64 relative = soffset + d.stride * index + offset;
    auto inside = [&](u64 at, u32 bytes) {
      if (!d.raw) return index < d.records && (!d.whole_element || offset + at + bytes <= d.stride);
      return d.whole_element ? relative + at + bytes <= d.records : relative + at < d.records;
    };
    u64 address = d.base + relative;
    if (to_lds) {
      bool in = inside(0, m.bytes);
      load_to_lds(w, i, lane, in ? memory.access(w, address, m.bytes, false, lane) : nullptr, in, lds_target(w, i, lane));
      return;
    }
    if (m.bytes <= 4 || m.op == MemoryOp::Atomic) {
      static const u8 zero[16] = {};
      if (inside(0, m.bytes)) transfer(w, i, lane, memory.access(w, address, m.bytes, write, lane));
      else if (m.op == MemoryOp::Load) put(w, i, i.dst, lane, zero);
      else if (m.op == MemoryOp::Atomic && i.glc) put_value(w, i.dst, lane, m.bytes, 0);
      return;
    }
    // Each dword is checked on its own; the address registers are read before any is replaced.
    for (u32 n = 0; n < m.bytes / 4u; n++) {
      bool in = inside(4 * n, 4);
      u8 *p = in ? memory.access(w, address + 4 * n, 4, write, lane) : nullptr;
      if (write) { if (in) memcpy(p, &cell(w, i.src[1] + n, lane), 4); }
      else {
        u32 v = 0;
        if (in) memcpy(&v, p, 4);
        cell(w, i.dst + n, lane) = v;
      }
    }
  });
}

void run_scalar_load(Wave &w, const Inst &i) {
  u64 address = join(w.s[i.src[0]], w.s[i.src[0] + 1]) + (u64)(i64)i.offset + (i.saddr == NoOperand ? 0 : w.s[i.saddr]);
  u32 bytes = i.memory->bytes;
  u32 words[16];
  memcpy(words, w.launch->memory->access(w, address & ~3ull, bytes, false, -1), bytes);
  for (u32 n = 0; n < bytes / 4; n++) w.scalar_write(i.dst + n, words[n]);
}

void run_scalar_buffer_load(Wave &w, const Inst &i) {
  const u32 *r = &w.s[i.src[0]];
  u64 base = join(r[0], r[1] & 0xffff), stride = r[1] >> 16 & 0x3fff, limit = r[2] * (stride ? stride : 1);
  u64 offset = ((u64)(u32)i.offset + (i.saddr == NoOperand ? 0 : w.s[i.saddr])) & ~3ull;
  u32 words[16], bytes = i.memory->bytes;
  for (u32 n = 0; n < bytes / 4; n++) {
    words[n] = 0;
    if (offset + 4 * n + 4 <= limit) memcpy(&words[n], w.launch->memory->access(w, (base & ~3ull) + offset + 4 * n, 4, false, -1), 4);
  }
  for (u32 n = 0; n < bytes / 4; n++) w.scalar_write(i.dst + n, words[n]);
}

}  // namespace gfxemu
