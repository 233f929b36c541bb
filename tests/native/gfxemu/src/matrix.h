// The parts that matrix instructions share.
#pragma once
#include "valu.h"

namespace gfxemu {

enum class Element : u8 { F32, F16, BF16, FP8, BF8, I8, I4, F64 };

inline float element_f32(const u32 *row0, int lane, int k, Element type) {
  switch (type) {
    case Element::F16: return half_to_f32((u16)(row0[(k / 2) * MaxLanes + lane] >> (16 * (k & 1))));
    case Element::BF16: return bf16_to_f32((u16)(row0[(k / 2) * MaxLanes + lane] >> (16 * (k & 1))));
    case Element::FP8: return fp8_to_f32((u8)(row0[(k / 4) * MaxLanes + lane] >> (8 * (k & 3))), Fp8::E4M3);
    case Element::BF8: return fp8_to_f32((u8)(row0[(k / 4) * MaxLanes + lane] >> (8 * (k & 3))), Fp8::E5M2);
    default: return as_f32(row0[k * MaxLanes + lane]);
  }
}

}  // namespace gfxemu
