#pragma once
#include "ops.h"
#include "program.h"

#include <vector>

namespace gfxemu {

struct OpcodeRun { u16 first; const char *names; };
using OpcodeList = std::span<const OpcodeRun>;
struct OpcodeLists { OpcodeList sop2, sopk, sop1, sopc, sopp, smem, vop2, vop1, vopc, vop3, vop3p, ds, flat, mubuf, vopd; };

const OpcodeLists &gfx9_opcodes();
const OpcodeLists &gfx11_opcodes();

// What an opcode number means; `op` is null where only the name is known.
struct Opcode {
  const char *name = nullptr;
  const OpInfo *op = nullptr;
  const MemoryInfo *memory = nullptr;
};
using OpcodeTable = std::vector<Opcode>;
struct OpcodeTables { OpcodeTable sop2, sopk, sop1, sopc, sopp, smem, vop2, vop1, vopc, vop3, vop3p, ds, flat, global, scratch, mubuf, vopd; };

const OpcodeTables &opcode_tables(Arch arch);

}  // namespace gfxemu
