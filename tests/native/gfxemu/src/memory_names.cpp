// Loads, stores and atomics, found by what their names say.
#include "memory_ops.h"
#include "ops.h"

#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace gfxemu {
namespace {

bool take_prefix(std::string_view &s, std::string_view prefix) {
  if (!s.starts_with(prefix)) return false;
  s.remove_prefix(prefix.size());
  return true;
}
bool take_suffix(std::string_view &s, std::string_view suffix) {
  if (!s.ends_with(suffix)) return false;
  s.remove_suffix(suffix.size());
  return true;
}

struct Width { const char *name; u8 bytes; bool sign; u8 d16; };
const Width widths[] = {
  {"ubyte", 1, false, 0}, {"u8", 1, false, 0}, {"sbyte", 1, true, 0}, {"i8", 1, true, 0}, {"byte", 1, false, 0}, {"b8", 1, false, 0},
  {"ushort", 2, false, 0}, {"u16", 2, false, 0}, {"sshort", 2, true, 0}, {"i16", 2, true, 0}, {"short", 2, false, 0}, {"b16", 2, false, 0},
  {"dword", 4, false, 0}, {"b32", 4, false, 0}, {"dwordx2", 8, false, 0}, {"b64", 8, false, 0}, {"dwordx3", 12, false, 0}, {"b96", 12, false, 0},
  {"dwordx4", 16, false, 0}, {"b128", 16, false, 0}, {"dwordx8", 32, false, 0}, {"b256", 32, false, 0}, {"dwordx16", 64, false, 0}, {"b512", 64, false, 0},
  {"ubyte_d16", 1, false, 1}, {"d16_u8", 1, false, 1}, {"u8_d16", 1, false, 1}, {"ubyte_d16_hi", 1, false, 2}, {"d16_hi_u8", 1, false, 2}, {"u8_d16_hi", 1, false, 2},
  {"sbyte_d16", 1, true, 1}, {"d16_i8", 1, true, 1}, {"i8_d16", 1, true, 1}, {"sbyte_d16_hi", 1, true, 2}, {"d16_hi_i8", 1, true, 2}, {"i8_d16_hi", 1, true, 2},
  {"short_d16", 2, false, 1}, {"d16_b16", 2, false, 1}, {"u16_d16", 2, false, 1}, {"short_d16_hi", 2, false, 2}, {"d16_hi_b16", 2, false, 2}, {"u16_d16_hi", 2, false, 2},
  {"byte_d16_hi", 1, false, 2}, {"d16_hi_b8", 1, false, 2}, {"b8_d16_hi", 1, false, 2}, {"b16_d16_hi", 2, false, 2},
};

bool read_width(std::string_view s, MemoryInfo &m) {
  for (auto &w : widths)
    if (s == w.name) { m.bytes = w.bytes; m.sign = w.sign; m.d16 = w.d16; return true; }
  return false;
}

std::optional<AtomicOp> atomic_named(std::string_view s, char type) {
  if (s == "swap" || s == "wrxchg" || s == "storexchg") return AtomicOp::Swap;
  if (s == "cmpswap" || s == "cmpst" || s == "cmpstore") return type == 'f' ? AtomicOp::CmpSwapF : AtomicOp::CmpSwap;
  if (s == "add") return type == 'f' ? AtomicOp::AddF : AtomicOp::Add;
  if (s == "sub") return AtomicOp::Sub;
  if (s == "rsub") return AtomicOp::RSub;
  if (s == "csub") return AtomicOp::CSub;
  if (s == "smin" || (s == "min" && type == 'i')) return AtomicOp::SMin;
  if (s == "umin" || (s == "min" && type == 'u')) return AtomicOp::UMin;
  if (s == "smax" || (s == "max" && type == 'i')) return AtomicOp::SMax;
  if (s == "umax" || (s == "max" && type == 'u')) return AtomicOp::UMax;
  if (s == "min") return AtomicOp::MinF;
  if (s == "max") return AtomicOp::MaxF;
  if (s == "and") return AtomicOp::And;
  if (s == "or") return AtomicOp::Or;
  if (s == "xor") return AtomicOp::Xor;
  if (s == "inc") return AtomicOp::Inc;
  if (s == "dec") return AtomicOp::Dec;
  if (s == "mskor") return AtomicOp::MskOr;
  if (s == "wrap") return AtomicOp::Wrap;
  return std::nullopt;
}

bool read_atomic(std::string_view s, MemoryInfo &m) {
  m.op = MemoryOp::Atomic;
  m.bytes = 4;
  if (s == "pk_add_f16") { m.atomic = AtomicOp::PkAddF16; return true; }
  if (s == "pk_add_bf16") { m.atomic = AtomicOp::PkAddBF16; return true; }
  char type = 'b';
  if (take_suffix(s, "_x2")) m.bytes = 8;
  else if (s.size() > 4 && s[s.size() - 4] == '_' && (s.ends_with("32") || s.ends_with("64"))) {
    type = s[s.size() - 3];
    m.bytes = s.ends_with("64") ? 8 : 4;
    s.remove_suffix(4);
  }
  auto op = atomic_named(s, type);
  if (!op) return false;
  m.atomic = *op;
  return true;
}

bool read_ds(std::string_view rest, MemoryInfo &m) {
  std::string name(rest);
  if (size_t at = name.find("_rtn"); at != std::string::npos) { name.erase(at, 4); m.returns = true; }
  std::string_view s = name;
  struct Two { const char *prefix; MemoryOp op; u8 stride64; };
  static const Two twos[] = {
    {"read2st64_", MemoryOp::Load2, 1}, {"load_2addr_stride64_", MemoryOp::Load2, 1}, {"read2_", MemoryOp::Load2, 0}, {"load_2addr_", MemoryOp::Load2, 0},
    {"write2st64_", MemoryOp::Store2, 1}, {"store_2addr_stride64_", MemoryOp::Store2, 1}, {"write2_", MemoryOp::Store2, 0}, {"store_2addr_", MemoryOp::Store2, 0},
    {"wrxchg2st64_", MemoryOp::Exchange2, 1}, {"storexchg_2addr_stride64_", MemoryOp::Exchange2, 1},
    {"wrxchg2_", MemoryOp::Exchange2, 0}, {"storexchg_2addr_", MemoryOp::Exchange2, 0},
  };
  for (auto &t : twos)
    if (take_prefix(s, t.prefix)) { m.op = t.op; m.stride64 = t.stride64; return read_width(s, m); }
  if (take_prefix(s, "read_") || take_prefix(s, "load_")) { m.op = MemoryOp::Load; return read_width(s, m); }
  if (take_prefix(s, "write_") || take_prefix(s, "store_")) { m.op = MemoryOp::Store; return read_width(s, m); }
  return read_atomic(s, m);
}

bool read_global(std::string_view s, MemoryInfo &m) {
  if (take_prefix(s, "load_lds_")) { m.op = MemoryOp::Load; m.to_lds = true; return read_width(s, m); }
  if (take_prefix(s, "load_")) { m.op = MemoryOp::Load; return read_width(s, m); }
  if (take_prefix(s, "store_")) { m.op = MemoryOp::Store; return read_width(s, m); }
  if (take_prefix(s, "atomic_")) return read_atomic(s, m);
  return false;
}

Type type_of(int bytes) {
  switch (bytes) {
    case 8: return Type::U64;
    case 12: return Type::B96;
    case 16: return Type::B128;
    case 32: return Type::B256;
    case 64: return Type::B512;
    default: return Type::U32;
  }
}

std::optional<MemoryOpInfo> parse(std::string_view name) {
  MemoryInfo m{};
  std::string_view s = name;
  Handler run;
  Class cls;
  if (take_prefix(s, "ds_")) {
    if (!read_ds(s, m)) return std::nullopt;
    run = run_lds;
    cls = Class::Lds;
  } else if (take_prefix(s, "s_buffer_load_") || take_prefix(s, "s_load_")) {
    if (!read_width(s, m)) return std::nullopt;
    m.op = MemoryOp::Load;
    run = name.starts_with("s_buffer") ? run_scalar_buffer_load : run_scalar_load;
    cls = Class::Smem;
  } else {
    if (take_prefix(s, "global_")) run = run_global;
    else if (take_prefix(s, "flat_")) run = run_flat;
    else if (take_prefix(s, "scratch_")) run = run_scratch;
    else if (take_prefix(s, "buffer_")) run = run_buffer;
    else return std::nullopt;
    if (!read_global(s, m)) return std::nullopt;
    cls = m.op == MemoryOp::Load ? Class::Load : m.op == MemoryOp::Store ? Class::Store : Class::Atomic;
  }
  OpInfo op{strdup(std::string(name).c_str()), run, cls, type_of(m.bytes), {Type::None, Type::None, Type::None}, 0};
  return MemoryOpInfo{op, m};
}

}  // namespace

const MemoryOpInfo *find_memory_op(std::string_view name) {
  static std::mutex lock;
  static std::map<std::string, std::optional<MemoryOpInfo>, std::less<>> known;
  std::lock_guard hold(lock);
  auto it = known.find(name);
  if (it == known.end()) it = known.emplace(std::string(name), parse(name)).first;
  return it->second ? &*it->second : nullptr;
}

}  // namespace gfxemu
