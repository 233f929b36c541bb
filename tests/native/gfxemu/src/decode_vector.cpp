#include "decode.h"

#include "modifiers.h"

namespace gfxemu {
namespace {

bool is_half(Type t) { return t == Type::F16 || t == Type::U16 || t == Type::BF16; }
bool is_dpp8(bool gfx11, u32 source0) { return gfx11 && (source0 == 233 || source0 == 234); }

}  // namespace

// In the short encodings of gfx11, bit 7 of a register number is the half of a 16-bit operand.
static void split_half(Inst &i, int k) {
  if (i.src[k] < Vgpr || !is_half(i.op->src[k]) || !(i.src[k] & 128)) return;
  i.src[k] = (u16)(i.src[k] & ~128);
  i.opsel |= (u8)(1 << k);
}

bool Decoder::decode_short_source(Inst &i, u32 source0) {
  if (source0 == 250 || is_dpp8(gfx11_, source0)) { i.size++; return decode_dpp(i, source0, word(i.size - 1u)); }
  if (!gfx11_ && source0 == 249) { i.size++; return decode_sdwa(i, word(i.size - 1u)); }
  if (i.op->src[0] != Type::None) source(i, 0, source0);
  if (gfx11_) {
    split_half(i, 0);
    split_half(i, 1);
    if (is_half(i.op->dst) && !(i.op->flags & (Compare | ScalarDst)) && i.dst & 128) { i.dst = (u16)(i.dst & ~128); i.opsel |= 8; }
    if (i.op->flags & Accumulates) i.src[2] = i.dst;
    if (i.op->flags & Accumulates && i.opsel & 8) i.opsel |= 4;
  }
  finish(i);
  return true;
}

bool Decoder::decode_vop1(Inst &i) {
  u32 w = word(0);
  if (!take(i, tables_.vop1, bits(w, 9, 8), Encoding::Vop1, 1)) return false;
  if (i.op->flags & NoDst) return true;
  i.dst = (u16)(Vgpr + bits(w, 17, 8));
  if (base_name(i) == "v_accvgpr_mov_b32") i.dst += Agpr - Vgpr;
  implied(i);
  i.suffix = i.op->flags & ScalarDst ? 0 : 1;
  if (!decode_short_source(i, bits(w, 0, 9))) return false;
  if (base_name(i) == "v_accvgpr_mov_b32") i.src[0] += Agpr - Vgpr;
  return true;
}

bool Decoder::decode_vop2(Inst &i) {
  u32 w = word(0);
  if (!take(i, tables_.vop2, bits(w, 25, 6), Encoding::Vop2, 1)) return false;
  i.dst = (u16)(Vgpr + bits(w, 17, 8));
  u16 second = (u16)(Vgpr + bits(w, 9, 8));
  implied(i);
  if (i.op->flags & LiteralThird) {
    // d = s0 * K + s1, or d = s0 * s1 + K
    bool middle = base_name(i).find("mk_") != std::string_view::npos;
    use_literal(i);
    int at = middle ? 1 : 2;
    i.src[at] = Constant;
    i.k[at] = i.literal;
    i.raw[at] = 255;
    i.src[3 - at] = second;
    source(i, 0, bits(w, 0, 9));
    finish(i);
    return true;
  }
  i.src[1] = second;
  i.suffix = 1;
  return decode_short_source(i, bits(w, 0, 9));
}

bool Decoder::decode_vopc(Inst &i) {
  u32 w = word(0);
  if (!take(i, tables_.vopc, bits(w, 17, 8), Encoding::Vopc, 1)) return false;
  implied(i);
  if (gfx11_ && i.op->flags & WritesExec) i.sdst = EXEC;
  i.src[1] = (u16)(Vgpr + bits(w, 9, 8));
  i.suffix = 1;
  return decode_short_source(i, bits(w, 0, 9));
}

bool Decoder::decode_vop3(Inst &i) {
  u32 w = word(0), w2 = word(1), opcode = bits(w, 16, 10);
  u32 vop1_base = gfx11_ ? 0x180 : 0x140, vop1_end = gfx11_ ? 0x200 : 0x1c0;
  const OpcodeTable *table = &tables_.vop3;
  u32 number = opcode;
  if (opcode < 0x100) table = &tables_.vopc;
  else if (opcode < 0x140) { table = &tables_.vop2; number -= 0x100; }
  else if (opcode >= vop1_base && opcode < vop1_end) { table = &tables_.vop1; number -= vop1_base; }
  if (!take(i, *table, number, Encoding::Vop3, 2)) return false;
  const OpInfo &op = *i.op;
  i.suffix = table == &tables_.vop3 ? 0 : 2;
  if (op.flags & LiteralThird) return false;
  i.clamp = bits(w, 15, 1);
  i.neg = (u8)bits(w2, 29, 3);
  i.omod = (u8)bits(w2, 27, 2);
  if (op.flags & CarryOut) i.sdst = scalar_operand(bits(w, 8, 7));
  else { i.abs = (u8)bits(w, 8, 3); i.opsel = (u8)bits(w, 11, 4); }
  if (op.flags & NoDst) return true;
  if (op.flags & Compare) i.sdst = gfx11_ && op.flags & WritesExec ? (u16)EXEC : scalar_operand(bits(w, 0, 8));
  else if (op.flags & ScalarDst) i.dst = scalar_operand(bits(w, 0, 8));
  else i.dst = (u16)(Vgpr + bits(w, 0, 8));
  if (op.flags & Packed) i.opsel_hi = 7;
  u32 source0 = bits(w2, 0, 9);
  bool dpp = gfx11_ && (source0 == 250 || is_dpp8(true, source0));
  for (int k = dpp ? 1 : 0; k < 3; k++)
    if (op.src[k] != Type::None && !(k == 2 && op.flags & Accumulates)) source(i, k, bits(w2, 9 * k, 9));
  if (op.flags & Accumulates) i.src[2] = i.dst;
  if (dpp) { i.size++; return decode_dpp(i, source0, word(i.size - 1u)); }
  finish(i);
  return true;
}

bool Decoder::decode_vop3p(Inst &i) {
  u32 w = word(0), w2 = word(1);
  if (!take(i, tables_.vop3p, bits(w, 16, 7), Encoding::Vop3p, 2)) return false;
  i.dst = (u16)(Vgpr + bits(w, 0, 8));
  if (!(i.op->flags & Packed)) {
    decode_matrix(i);
    return true;
  }
  i.clamp = bits(w, 15, 1);
  i.opsel = (u8)bits(w, 11, 3);
  i.opsel_hi = (u8)(bits(w2, 27, 2) | bits(w, 14, 1) << 2);
  i.neg_hi = (u8)bits(w, 8, 3);
  i.neg = (u8)bits(w2, 29, 3);
  u32 source0 = bits(w2, 0, 9);
  bool dpp = gfx11_ && (source0 == 250 || is_dpp8(true, source0));
  for (int k = dpp ? 1 : 0; k < 3; k++) {
    if (i.op->src[k] == Type::None) continue;
    Type type = i.op->src[k];
    if (i.op->flags & MixedHalves && i.opsel_hi >> k & 1) type = Type::F16;
    source(i, k, bits(w2, 9 * k, 9), type);
  }
  return dpp ? (i.size++, decode_dpp(i, source0, word(i.size - 1u))) : true;
}

// Matrix instructions and moves of accumulators: bits tell which operands are accumulators.
void Decoder::decode_matrix(Inst &i) {
  u32 w = word(0), w2 = word(1);
  auto vector = [&](int k, u32 encoded, bool accumulator) {
    source(i, k, encoded);
    if (encoded >= 256 && accumulator) i.src[k] = (u16)(encoded + Agpr - Vgpr);
  };
  std::string_view name = base_name(i);
  if (name == "v_accvgpr_read_b32") { vector(0, bits(w2, 0, 9), true); return; }
  if (name == "v_accvgpr_write_b32") { vector(0, bits(w2, 0, 9), false); i.dst += Agpr - Vgpr; return; }
  i.cbsz = (u8)bits(w, 8, 3);
  i.abid = (u8)bits(w, 11, 4);
  i.blgp = (u8)bits(w2, 29, 3);
  bool sums = bits(w, 15, 1);
  vector(0, bits(w2, 0, 9), bits(w2, 27, 1));
  vector(1, bits(w2, 9, 9), bits(w2, 28, 1));
  vector(2, bits(w2, 18, 9), sums);
  if (sums) i.dst += Agpr - Vgpr;
}

bool Decoder::decode_dpp(Inst &i, u32 source0, u32 control) {
  i.dpp.is8 = source0 != 250;
  bool long_form = i.encoding == Encoding::Vop3 || i.encoding == Encoding::Vop3p;
  i.src[0] = (u16)(Vgpr + bits(control, 0, 8));
  if (i.dpp.is8) {
    i.dpp.selectors = control >> 8;
    i.dpp.fetch_inactive = source0 == 234;
  } else {
    i.dpp.control = (u16)bits(control, 8, 9);
    i.dpp.fetch_inactive = gfx11_ && bits(control, 18, 1);
    i.dpp.bound_ctrl = bits(control, 19, 1);
    if (!long_form) {
      i.neg = (u8)(bits(control, 20, 1) | bits(control, 22, 1) << 1);
      i.abs = (u8)(bits(control, 21, 1) | bits(control, 23, 1) << 1);
    }
    i.dpp.bank_mask = (u8)bits(control, 24, 4);
    i.dpp.row_mask = (u8)bits(control, 28, 4);
  }
  i.suffix = long_form ? 5 : 3;
  if (gfx11_ && !long_form) { split_half(i, 0); split_half(i, 1); }
  finish(i);
  Inst &inner = program_.inner.emplace_back(i);
  inner.src[0] = ShuffledSource0;
  if (i.op->flags & Accumulates) inner.src[2] = inner.dst;
  i.inner = &inner;
  i.run = run_dpp;
  return true;
}

bool Decoder::decode_sdwa(Inst &i, u32 control) {
  Sdwa &s = i.sdwa;
  s.select[0] = (u8)bits(control, 16, 3);
  s.sext[0] = bits(control, 19, 1);
  s.select[1] = (u8)bits(control, 24, 3);
  s.sext[1] = bits(control, 27, 1);
  i.neg = (u8)(bits(control, 20, 1) | bits(control, 28, 1) << 1);
  i.abs = (u8)(bits(control, 21, 1) | bits(control, 29, 1) << 1);
  source(i, 0, bits(control, 0, 8) + (bits(control, 23, 1) ? 0 : Vgpr));
  if (i.src[1] != NoOperand && bits(control, 31, 1)) source(i, 1, i.src[1] - Vgpr);
  if (i.op->flags & Compare) {
    if (bits(control, 15, 1)) i.sdst = scalar_operand(bits(control, 8, 7));
  } else {
    s.dst_select = (u8)bits(control, 8, 3);
    s.dst_unused = (u8)bits(control, 11, 2);
    i.clamp = bits(control, 13, 1);
    i.omod = (u8)bits(control, 14, 2);
  }
  i.suffix = 4;
  finish(i);
  Inst &inner = program_.inner.emplace_back(i);
  inner.src[0] = ShuffledSource0;
  if (i.src[1] != NoOperand) inner.src[1] = ShuffledSource1;
  if (!(i.op->flags & (Compare | ScalarDst))) inner.dst = ShuffledResult;
  i.inner = &inner;
  i.run = run_sdwa;
  return true;
}

bool Decoder::dual_half(Inst &i, Inst &half, u32 opcode, u32 source0, u32 source1, u32 destination, bool x) {
  half = Inst{};
  for (u16 &s : half.src) s = NoOperand;
  half.sdst = half.saddr = half.vdata2 = NoOperand;
  if (!take(half, tables_.vopd, opcode, Encoding::Vop2, 1)) return false;
  half.dst = (u16)(Vgpr + destination);
  implied(half);
  if (i.op == nullptr) i.op = half.op;
  // A literal is shared by both halves; it lies behind the two words.
  half.size = i.size;
  half.has_literal = i.has_literal;
  half.literal = i.literal;
  u16 second = (u16)(Vgpr + source1);
  source(half, 0, source0);
  if (half.op->flags & LiteralThird) {
    use_literal(half);
    int at = base_name(half).find("mk_") != std::string_view::npos ? 1 : 2;
    half.src[at] = Constant;
    half.k[at] = half.literal;
    half.raw[at] = 255;
    half.src[3 - at] = second;
  } else if (half.op->src[1] != Type::None) half.src[1] = second;
  i.size = half.size;
  i.has_literal = half.has_literal;
  i.literal = half.literal;
  finish(half);
  if (x) { i.dst = half.dst; half.dst = ShuffledResult; }
  return true;
}

bool Decoder::decode_vopd(Inst &i) {
  u32 w = word(0), w2 = word(1);
  i.size = 2;
  i.encoding = Encoding::Vopd;
  u32 destination_x = bits(w2, 24, 8), destination_y = bits(w2, 17, 7) << 1 | !(destination_x & 1);
  Inst &x = program_.inner.emplace_back(), &y = program_.inner.emplace_back();
  if (!dual_half(i, x, bits(w, 22, 4), bits(w, 0, 9), bits(w, 9, 8), destination_x, true)) return false;
  if (!dual_half(i, y, bits(w, 17, 5), bits(w2, 0, 9), bits(w2, 9, 8), destination_y, false)) return false;
  i.name = x.name;
  i.cls = Class::Valu;
  i.inner = &x;
  i.inner2 = &y;
  i.run = run_dual;
  return true;
}

}  // namespace gfxemu
