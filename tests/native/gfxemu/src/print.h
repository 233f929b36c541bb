#pragma once
#include "inst.h"

#include <string>

namespace gfxemu {

// An instruction in the assembler's language; modifiers that do not change which operands are read may be missing.
std::string print(const Inst &i);

}  // namespace gfxemu
