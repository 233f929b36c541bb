#include "valu.h"

#include <algorithm>

namespace gfxemu {
namespace {

Type source_type(const Inst &i, int k) { return i.op->src[k]; }

void change_f32(const Wave &w, const Inst &i, int k, u32 *v) {
  bool abs = i.abs >> k & 1, neg = i.neg >> k & 1;
  u32 keep = abs ? 0x7fffffff : 0xffffffff, flip = neg ? 0x80000000 : 0;
  for (int l = 0; l < MaxLanes; l++) v[l] = (v[l] & keep) ^ flip;
  if (!(w.plain & 2))
    for (int l = 0; l < MaxLanes; l++) v[l] = (v[l] & 0x7f800000) ? v[l] : v[l] & 0x80000000;
}

void change_f16(const Wave &w, const Inst &i, int k, u32 *v) {
  bool abs = i.abs >> k & 1, neg = i.neg >> k & 1;
  u32 keep = abs ? 0x7fff : 0xffff, flip = neg ? 0x8000 : 0, shift = i.opsel >> k & 1 ? 16 : 0;
  for (int l = 0; l < MaxLanes; l++) v[l] = (v[l] >> shift & keep) ^ flip;
  if (!(w.plain & 4)) flush_halves(v);
}

}  // namespace

void flush_halves(u32 *v) {
  for (int l = 0; l < MaxLanes; l++) v[l] = (v[l] & 0x7c00) ? v[l] : v[l] & 0x8000;
}

const u32 *fetch_changed(const Wave &w, const Inst &i, int k, Lanes &buffer) {
  if (i.src[k] >= Vgpr) memcpy(buffer.v, w.v + (i.src[k] - Vgpr) * MaxLanes, sizeof buffer.v);
  else std::fill_n(buffer.v, MaxLanes, scalar(w, i, k));
  switch (source_type(i, k)) {
    case Type::F32: change_f32(w, i, k, buffer.v); break;
    case Type::F16: change_f16(w, i, k, buffer.v); break;
    case Type::U16: case Type::BF16:
      if (i.opsel >> k & 1) for (u32 &x : buffer.v) x >>= 16;
      break;
    default: break;
  }
  return buffer.v;
}

WideRows fetch_wide(const Wave &w, const Inst &i, int k, WideLanes &buffer) {
  u32 r = i.src[k];
  bool change = source_type(i, k) == Type::F64 && ((i.abs | i.neg) >> k & 1 || !(w.plain & 4));
  if (r >= Vgpr && !change) return {w.v + (r - Vgpr) * MaxLanes, w.v + (r + 1 - Vgpr) * MaxLanes};
  if (r >= Vgpr) {
    memcpy(buffer.lo, w.v + (r - Vgpr) * MaxLanes, sizeof buffer.lo);
    memcpy(buffer.hi, w.v + (r + 1 - Vgpr) * MaxLanes, sizeof buffer.hi);
  } else {
    u64 value = scalar64(w, i, k);
    std::fill_n(buffer.lo, MaxLanes, (u32)value);
    std::fill_n(buffer.hi, MaxLanes, (u32)(value >> 32));
  }
  if (change) {
    u32 keep = i.abs >> k & 1 ? 0x7fffffff : 0xffffffff, flip = i.neg >> k & 1 ? 0x80000000 : 0;
    for (u32 &x : buffer.hi) x = (x & keep) ^ flip;
    if (!(w.plain & 4))
      for (int l = 0; l < MaxLanes; l++)
        if (!(buffer.hi[l] & 0x7ff00000)) buffer.hi[l] &= 0x80000000, buffer.lo[l] = 0;
  }
  return {buffer.lo, buffer.hi};
}

// Output scaling is ignored where denormal results or IEEE mode are on.
static float output_scale(const Wave &w, const Inst &i, int denormal_shift) {
  if (!i.omod || (w.mode >> (denormal_shift + 1) & 1) || (w.mode >> 9 & 1)) return 1;
  return i.omod == 1 ? 2.0f : i.omod == 2 ? 4.0f : 0.5f;
}

template <class T> static T clamp01(T x, bool nan_to_zero) {
  if (x != x) return nan_to_zero ? 0 : x;
  return x > 0 ? (x < 1 ? x : 1) : 0;
}

void finish_f32(Wave &w, const Inst &i, Lanes &r) {
  float scale = output_scale(w, i, 4);
  bool nan_to_zero = w.mode >> 8 & 1;
  for (int l = 0; l < MaxLanes; l++) {
    float x = as_f32(r.v[l]);
    if (scale != 1) x *= scale;
    if (i.clamp) x = clamp01(x, nan_to_zero);
    r.v[l] = as_u32(x);
  }
  write_row(w, i.dst, r.v);
}

void finish_f64(Wave &w, const Inst &i, WideLanes &r) {
  double scale = output_scale(w, i, 6);
  bool nan_to_zero = w.mode >> 8 & 1;
  for (int l = 0; l < MaxLanes; l++) {
    double x = as_f64(join(r.lo[l], r.hi[l]));
    if (scale != 1) x *= scale;
    if (i.clamp) x = clamp01(x, nan_to_zero);
    r.lo[l] = (u32)as_u64(x);
    r.hi[l] = (u32)(as_u64(x) >> 32);
  }
  write_wide(w, i.dst, r);
}

void finish_half(Wave &w, const Inst &i, const Lanes &from) {
  Lanes r = from;
  if (i.op->dst == Type::F16 && (i.clamp || i.omod)) {
    float scale = output_scale(w, i, 6);
    for (u32 &bits : r.v) {
      float x = half_to_f32((u16)bits) * scale;
      bits = f32_to_half(i.clamp ? clamp01(x, w.mode >> 8 & 1) : x);
    }
  }
  const u32 *old = w.row(i.dst);
  switch (i.half) {
    case Half16::Zero: for (u32 &x : r.v) x &= 0xffff; break;
    case Half16::Low: for (int l = 0; l < MaxLanes; l++) r.v[l] = (r.v[l] & 0xffff) | (old[l] & 0xffff0000); break;
    case Half16::High: for (int l = 0; l < MaxLanes; l++) r.v[l] = r.v[l] << 16 | (old[l] & 0xffff); break;
  }
  write_row(w, i.dst, r.v);
}

void halves_to_f32(const u32 *from, float *to) {
  const __m256i low = _mm256_set1_epi32(0xffff);
  for (int l = 0; l < MaxLanes; l += 8) {
    __m256i x = _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(from + l)), low);
    __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(x, x), 0x08);
    _mm256_storeu_ps(to + l, _mm256_cvtph_ps(_mm256_castsi256_si128(packed)));
  }
}

void f32_to_halves(const float *from, u32 *to) {
  for (int l = 0; l < MaxLanes; l += 8) {
    __m128i h = _mm256_cvtps_ph(_mm256_loadu_ps(from + l), _MM_FROUND_CUR_DIRECTION);
    _mm256_storeu_si256((__m256i *)(to + l), _mm256_cvtepu16_epi32(h));
  }
}

int dwords(Type type, int wave_size) {
  switch (type) {
    case Type::None: return 0;
    case Type::U64: case Type::I64: case Type::F64: case Type::PkF32: return 2;
    case Type::B96: return 3;
    case Type::B128: return 4;
    case Type::B256: return 8;
    case Type::B512: return 16;
    case Type::B1024: return 32;
    case Type::Mask: return wave_size / 32;
    default: return 1;
  }
}

}  // namespace gfxemu
