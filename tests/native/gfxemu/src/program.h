// The instructions of a code object, decoded when they are first reached.
#pragma once
#include "inst.h"

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace gfxemu {

enum class Arch : u8 { Gfx942, Gfx1100 };

struct Program {
  Arch arch = Arch::Gfx942;
  u64 base = 0;             // device address of the first instruction
  std::vector<u32> words;
  std::vector<Inst> slots;  // one for every dword; what is not decoded yet decodes itself

  Program(Arch arch, u64 base, std::vector<u32> words);
  u64 address(const Inst *i) const { return base + (u64)(i - slots.data()) * 4; }
  // The instruction at an address; throws a Fault outside of the program.
  const Inst *at(u64 address) const;
  // Decodes the instruction that starts at a slot, whether it was reached or not.
  const Inst &decode_slot(size_t index);

  // Owners of what instructions point to.
  std::deque<Inst> inner;
  std::mutex decoding;
};

}  // namespace gfxemu
