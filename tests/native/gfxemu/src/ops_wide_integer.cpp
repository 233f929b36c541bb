#include "ops.h"
#include "valu.h"

namespace gfxemu {
namespace {

const OpInfo table[] = {
  valu<U64(U64), [](u64 a) { return a; }>("v_mov_b64"),
  valu<U64(U32, U64), [](u32 a, u64 b) { return (b << (a & 63)); }>("v_lshlrev_b64"),
  valu<U64(U32, U64), [](u32 a, u64 b) { return (b >> (a & 63)); }>("v_lshrrev_b64"),
  valu<I64(U32, I64), [](u32 a, i64 b) { return (b >> (a & 63)); }>("v_ashrrev_i64"),
  valu<U64(U64, U32, U64), [](u64 a, u32 b, u64 c) { return (a << (b & 7)) + c; }>("v_lshl_add_u64"),
};

}  // namespace

OpTable wide_integer_ops() { return table; }

}  // namespace gfxemu
