#include "decode.h"

namespace gfxemu {

bool Decoder::decode_ds(Inst &i) {
  u64 w = pair();
  u32 opcode = gfx11_ ? bits(w, 18, 8) : bits(w, 17, 8);
  if (!take(i, tables_.ds, opcode, Encoding::Ds, 2)) return false;
  if (!i.memory) return true;
  u16 file = !gfx11_ && bits(w, 25, 1) ? Agpr : Vgpr;
  const MemoryInfo &m = *i.memory;
  i.src[0] = (u16)(Vgpr + bits(w, 32, 8));
  i.src[1] = (u16)(file + bits(w, 40, 8));
  i.dst = (u16)(file + bits(w, 56, 8));
  u32 offset0 = bits(w, 0, 8), offset1 = bits(w, 8, 8);
  bool two = m.op == MemoryOp::Load2 || m.op == MemoryOp::Store2 || m.op == MemoryOp::Exchange2;
  if (two) {
    i32 scale = m.bytes * (m.stride64 ? 64 : 1);
    i.offset = (i32)offset0 * scale;
    i.offset2 = (i32)offset1 * scale;
    i.vdata2 = (u16)(file + bits(w, 48, 8));
  } else {
    i.offset = (i32)(offset0 | offset1 << 8);
    if (m.op == MemoryOp::Atomic) i.vdata2 = (u16)(file + bits(w, 48, 8));
  }
  return true;
}

bool Decoder::decode_flat(Inst &i) {
  u64 w = pair();
  u32 segment = gfx11_ ? bits(w, 16, 2) : bits(w, 14, 2);
  const OpcodeTable &table = segment == 0 ? tables_.flat : segment == 1 ? tables_.scratch : tables_.global;
  if (segment == 3 || !take(i, table, bits(w, 18, 7), segment == 0 ? Encoding::Flat : segment == 1 ? Encoding::Scratch : Encoding::Global, 2)) return false;
  i.glc = gfx11_ ? bits(w, 14, 1) : bits(w, 16, 1);
  i.slc = gfx11_ ? bits(w, 15, 1) : bits(w, 17, 1);
  i.sc1 = gfx11_ ? bits(w, 13, 1) : bits(w, 25, 1);
  i.lds = !gfx11_ && bits(w, 13, 1);
  u32 offset = bits(w, 0, 13);
  i.offset = segment == 0 ? (gfx11_ ? (i32)(offset & 0xfff) : (i32)(offset & 0xfff)) : (i32)(offset << 19) >> 19;
  u16 file = !gfx11_ && bits(w, 55, 1) ? Agpr : Vgpr;
  u16 saddr = scalar_operand(bits(w, 48, 7));
  bool no_saddr = segment == 0 || (gfx11_ ? saddr == NullReg : saddr == 127);
  if (!no_saddr) i.saddr = saddr;
  // Scratch: gfx11 has a bit for a vector address; gfx942 says it in bit 13 (sve).
  i.sve = segment == 1 && (gfx11_ ? bits(w, 55, 1) : bits(w, 13, 1));
  if (segment == 1) i.lds = false;
  if (segment != 1 || i.sve) i.src[0] = (u16)(Vgpr + bits(w, 32, 8));
  i.src[1] = (u16)(file + bits(w, 40, 8));
  i.dst = (u16)(file + bits(w, 56, 8));
  return true;
}

bool Decoder::decode_mubuf(Inst &i) {
  u64 w = pair();
  if (!take(i, tables_.mubuf, bits(w, 18, gfx11_ ? 8 : 7), Encoding::Mubuf, 2)) return false;
  if (gfx11_) {
    i.slc = bits(w, 12, 1);
    i.sc1 = bits(w, 13, 1);
    i.glc = bits(w, 14, 1);
    i.offen = bits(w, 54, 1);
    i.idxen = bits(w, 55, 1);
  } else {
    i.offen = bits(w, 12, 1);
    i.idxen = bits(w, 13, 1);
    i.glc = bits(w, 14, 1);
    i.sc1 = bits(w, 15, 1);
    i.lds = bits(w, 16, 1);
    i.slc = bits(w, 17, 1);
  }
  if (!i.memory) return true;
  u16 file = !gfx11_ && bits(w, 55, 1) ? Agpr : Vgpr;
  i.offset = (i32)bits(w, 0, 12);
  i.src[0] = (u16)(Vgpr + bits(w, 32, 8));
  i.src[1] = i.dst = (u16)(file + bits(w, 40, 8));
  i.src[2] = (u16)(bits(w, 48, 5) * 4);
  u32 soffset = bits(w, 56, 8);
  i.raw[0] = (u8)soffset;
  if (soffset < 128) i.saddr = scalar_operand(soffset);
  else { i.saddr = Constant; i.k[0] = inline_constant(soffset, Type::U32); }
  return true;
}

}  // namespace gfxemu
