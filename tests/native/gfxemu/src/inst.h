// One decoded instruction, and what an operation is.
#pragma once
#include "numeric.h"

#include <string_view>

namespace gfxemu {

struct Wave;
struct Inst;
using Handler = void (*)(Wave &, const Inst &);

// How an operand's bits are read, and how wide it is.
enum class Type : u8 { None, U16, F16, BF16, U32, F32, U64, I64, F64, PkF16, PkBF16, PkU16, PkF32, B96, B128, B256, B512, B1024, Mask };

// What the counters tell apart.
enum class Class : u8 { Salu, Branch, Smem, Valu, Trans, Matrix, Lds, Load, Store, Atomic, Barrier, Wait, Other, Count };

enum OpFlags : u16 {
  Accumulates = 1,     // the destination is read as the last source
  CarryOut = 2,        // writes a lane mask: vcc, or an SGPR in the long form
  CarryIn = 4,         // reads a lane mask: vcc, or src2 in the long form
  Packed = 8,          // op_sel_hi and neg_hi count
  Compare = 16,        // the destination is a lane mask
  WritesExec = 32,     // v_cmpx
  ScalarDst = 64,      // v_readlane, v_readfirstlane
  KeepsHigh = 128,     // a 16-bit result leaves the other half alone on gfx9 too
  LiteralThird = 256,  // fmamk and fmaak: a literal is always there
  NoDst = 512,
  MixedHalves = 1024,  // v_fma_mix: op_sel_hi says which sources are halves
  Any32 = 2048,        // sources with their own meaning of neg/abs/op_sel (handled by the operation)
};

struct OpInfo {
  const char *name;
  Handler run;
  Class cls;
  Type dst;
  Type src[3];
  u16 flags;
};

// Operand numbers: those of the encodings, with one numbering for both generations.
enum Reg : u16 {
  VCC = 106, TTMP = 108, M0 = 124, NullReg = 125, EXEC = 126,
  SharedBase = 235, SharedLimit = 236, PrivateBase = 237, PrivateLimit = 238,
  VCCZ = 251, EXECZ = 252, SCC = 253, LdsDirect = 254,
  Constant = 255,      // the value is in Inst::k
  Vgpr = 256, Agpr = 512,
  Scratchpad = 768,    // rows that DPP, SDWA and dual-issue use for what they shuffled
  NoOperand = 0xffff,
};

enum class Encoding : u8 {
  Invalid, Sop1, Sop2, Sopk, Sopc, Sopp, Smem, Vop1, Vop2, Vopc, Vop3, Vop3p, Vopd, Ds, Flat, Global, Scratch, Mubuf,
};

enum class Half16 : u8 { Zero, Low, High };  // what a 16-bit result does with the rest of its register

struct Dpp {
  bool is8, bound_ctrl, fetch_inactive;
  u16 control;
  u8 row_mask, bank_mask;
  u32 selectors;
};

struct Sdwa {
  u8 select[2], dst_select, dst_unused;
  bool sext[2];
};

enum class MemoryOp : u8 { Load, Store, Atomic, Load2, Store2, Exchange2, Nothing };
enum class AtomicOp : u8 {
  Swap, CmpSwap, Add, Sub, RSub, SMin, UMin, SMax, UMax, And, Or, Xor, Inc, Dec, AddF, MinF, MaxF, CmpSwapF, PkAddF16, PkAddBF16, MskOr, CSub, Wrap,
};
struct MemoryInfo {
  MemoryOp op;
  u8 bytes;                 // of one element
  bool sign;
  u8 d16;                   // 1: low half, 2: high half
  bool to_lds;
  AtomicOp atomic;
  bool returns;             // DS: the form with _rtn
  u8 stride64;
};

struct alignas(64) Inst {
  Handler run;
  const OpInfo *op;
  const MemoryInfo *memory;
  const char *name;
  const Inst *inner;        // DPP, SDWA: what runs on the shuffled rows; dual issue: the X half
  const Inst *inner2;       // dual issue: the Y half
  u64 k[3];                 // values of constant sources
  u16 dst, sdst, src[3];
  u16 saddr, vdata2;
  i32 offset, offset2;
  u32 simm;
  u32 literal;
  u8 raw[3];                // constants as encoded, for the listing
  Encoding encoding;
  u8 size;                  // in dwords
  Class cls;
  u8 sensitive;             // not a subset of Wave::plain: sources are not read as they are
  bool post;                // the result is clamped or scaled
  u8 neg, abs, opsel, opsel_hi, neg_hi, omod;
  bool clamp, gfx11;
  Half16 half;
  bool offen, idxen, glc, slc, sc1, lds, sve, has_literal;
  u8 cbsz, abid, blgp;
  u8 suffix;                // 1 _e32, 2 _e64, 3 _dpp, 4 _sdwa, 5 _e64_dpp
  Dpp dpp;
  Sdwa sdwa;
};

inline bool is_vector(u32 operand) { return operand >= Vgpr && operand != NoOperand; }
int dwords(Type type, int wave_size);
std::string_view base_name(const Inst &inst);

}  // namespace gfxemu
