#include "decode.h"

namespace gfxemu {

bool Decoder::decode_sop2(Inst &i) {
  u32 w = word(0);
  if (!take(i, tables_.sop2, bits(w, 23, 7), Encoding::Sop2, 1)) return false;
  i.dst = scalar_operand(bits(w, 16, 7));
  source(i, 0, bits(w, 0, 8));
  source(i, 1, bits(w, 8, 8));
  return true;
}

bool Decoder::decode_sop1(Inst &i) {
  u32 w = word(0);
  if (!take(i, tables_.sop1, bits(w, 8, 8), Encoding::Sop1, 1)) return false;
  i.dst = scalar_operand(bits(w, 16, 7));
  if (i.op->src[0] != Type::None) source(i, 0, bits(w, 0, 8));
  return true;
}

bool Decoder::decode_sopc(Inst &i) {
  u32 w = word(0);
  if (!take(i, tables_.sopc, bits(w, 16, 7), Encoding::Sopc, 1)) return false;
  source(i, 0, bits(w, 0, 8));
  // s_set_gpr_idx_on has its flags where the second source would be.
  if (i.op->src[1] == Type::None) i.simm = bits(w, 8, 8);
  else source(i, 1, bits(w, 8, 8));
  return true;
}

bool Decoder::decode_sopk(Inst &i) {
  u32 w = word(0);
  if (!take(i, tables_.sopk, bits(w, 23, 5), Encoding::Sopk, 1)) return false;
  i.dst = scalar_operand(bits(w, 16, 7));
  i.simm = bits(w, 0, 16);
  if (base_name(i) == "s_setreg_imm32_b32") use_literal(i);
  return true;
}

bool Decoder::decode_sopp(Inst &i) {
  u32 w = word(0);
  if (!take(i, tables_.sopp, bits(w, 16, 7), Encoding::Sopp, 1)) return false;
  i.simm = bits(w, 0, 16);
  return true;
}

bool Decoder::decode_smem(Inst &i) {
  u32 w = word(0);
  if (!take(i, tables_.smem, bits(w, 18, 8), Encoding::Smem, 2)) return false;
  i.src[0] = (u16)(bits(w, 0, 6) * 2);
  i.dst = scalar_operand(bits(w, 6, 7));
  i.offset = (i32)(word(1) << 11) >> 11;
  u32 soffset = bits(word(1), 25, 7);
  if (gfx11_) {
    i.glc = bits(w, 14, 1);
    if (scalar_operand(soffset) != NullReg) i.saddr = scalar_operand(soffset);
  } else {
    i.glc = bits(w, 16, 1);
    bool has_offset = bits(w, 17, 1), has_register = bits(w, 14, 1);
    if (has_register) i.saddr = (u16)soffset;
    else if (!has_offset) { i.saddr = (u16)bits(word(1), 0, 7); i.offset = 0; }
    if (!has_offset) i.offset = 0;
  }
  return true;
}

}  // namespace gfxemu
