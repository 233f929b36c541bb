// Instructions that wrap another one: sources shuffled by DPP, parts picked by SDWA, two at once.
#pragma once
#include "inst.h"

namespace gfxemu {

// Rows behind the register files that hold what was shuffled.
constexpr u16 ShuffledSource0 = Scratchpad, ShuffledSource1 = Scratchpad + 1, ShuffledResult = Scratchpad + 2, ShuffledSource2 = Scratchpad + 4;

void run_dpp(Wave &w, const Inst &i);
void run_sdwa(Wave &w, const Inst &i);
void run_dual(Wave &w, const Inst &i);

}  // namespace gfxemu
