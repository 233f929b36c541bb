#pragma once
#include "inst.h"

namespace gfxemu {

void run_lds(Wave &w, const Inst &i);
void run_lane_permute(Wave &w, const Inst &i);  // ds_permute, ds_bpermute, ds_swizzle
void run_global(Wave &w, const Inst &i);
void run_flat(Wave &w, const Inst &i);
void run_scratch(Wave &w, const Inst &i);
void run_buffer(Wave &w, const Inst &i);
void run_scalar_load(Wave &w, const Inst &i);
void run_scalar_buffer_load(Wave &w, const Inst &i);

}  // namespace gfxemu
