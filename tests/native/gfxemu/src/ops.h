// The tables of operations; each is written where its operations are.
#pragma once
#include "inst.h"

#include <span>
#include <string_view>

namespace gfxemu {

using OpTable = std::span<const OpInfo>;

OpTable f32_ops();
OpTable f16_ops();
OpTable f64_ops();
OpTable integer_ops();
OpTable wide_integer_ops();
OpTable short_integer_ops();
OpTable carry_ops();
OpTable convert_ops();
OpTable division_ops();
OpTable packed_ops();
OpTable dot_ops();
OpTable compare_ops();
OpTable lane_ops();
OpTable mfma_ops();
OpTable wmma_ops();
OpTable scalar_ops();
OpTable scalar_compare_ops();
OpTable control_ops();

// By the name without _e32 and the like; null when nothing here executes it.
const OpInfo *find_op(std::string_view name);

// What loads, stores and atomics have in common: their names say what they do.
struct MemoryOpInfo { OpInfo op; MemoryInfo memory; };
const MemoryOpInfo *find_memory_op(std::string_view name);

}  // namespace gfxemu
