// From machine words to instructions; one file for each kind of encoding.
#pragma once
#include "opcodes.h"

#include <span>

namespace gfxemu {

class Decoder {
 public:
  Decoder(Program &program, size_t at) : program_(program), tables_(opcode_tables(program.arch)), gfx11_(program.arch == Arch::Gfx1100), at_(at) {}
  // Fills the instruction; false when the words are none that is known. `i.op` stays null when it is known by name only.
  bool decode(Inst &i);

 private:
  u32 word(size_t k) const { return at_ + k < program_.words.size() ? program_.words[at_ + k] : 0; }
  u64 pair() const { return join(word(0), word(1)); }
  static u32 bits(u64 word, int low, int count) { return (u32)(word >> low & ((1ull << count) - 1)); }
  bool take(Inst &i, const OpcodeTable &table, u32 opcode, Encoding encoding, int size);

  bool decode_sop1(Inst &i);
  bool decode_sop2(Inst &i);
  bool decode_sopk(Inst &i);
  bool decode_sopc(Inst &i);
  bool decode_sopp(Inst &i);
  bool decode_smem(Inst &i);

  bool decode_vop1(Inst &i);
  bool decode_vop2(Inst &i);
  bool decode_vopc(Inst &i);
  bool decode_vop3(Inst &i);
  bool decode_vop3p(Inst &i);
  bool decode_vopd(Inst &i);
  bool decode_short_source(Inst &i, u32 source0);
  bool decode_dpp(Inst &i, u32 source0, u32 control);
  bool decode_sdwa(Inst &i, u32 control);
  void decode_matrix(Inst &i);
  bool dual_half(Inst &i, Inst &half, u32 opcode, u32 source0, u32 source1, u32 destination, bool x);

  bool decode_ds(Inst &i);
  bool decode_flat(Inst &i);
  bool decode_mubuf(Inst &i);

  // A source as encoded in 9 bits (8 for scalars), read as the type that the operation gives it.
  void source(Inst &i, int k, u32 encoded, Type type);
  void source(Inst &i, int k, u32 encoded) { source(i, k, encoded, i.op->src[k]); }
  u16 scalar_operand(u32 encoded) const;
  void use_literal(Inst &i);
  // The sources and the destination that the short encodings imply.
  void implied(Inst &i);
  // What follows from modifiers once all are known.
  void finish(Inst &i);

  Program &program_;
  const OpcodeTables &tables_;
  bool gfx11_;
  size_t at_;
};

u64 inline_constant(u32 encoded, Type type);

}  // namespace gfxemu
