#pragma once
#include "inst.h"

namespace gfxemu {

// Performs the operation on 4 or 8 bytes (info.bytes) at p, which others may use at the same time, and returns what was there.
u64 atomic_apply(void *p, const MemoryInfo &info, u64 value, u64 compare);

}  // namespace gfxemu
