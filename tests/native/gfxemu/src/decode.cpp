#include "decode.h"

#include "modifiers.h"
#include "wave.h"

namespace gfxemu {

// 128..208 are small integers, 240..248 a few floats, as the operand's type would hold them.
u64 inline_constant(u32 encoded, Type type) {
  if (encoded <= 192) return encoded - 128;
  if (encoded <= 208) return (u64)-(i64)(encoded - 192);
  static const double values[9] = {0.5, -0.5, 1, -1, 2, -2, 4, -4, 0.15915494309189532};
  double value = values[encoded - 240];
  switch (type) {
    case Type::F64: case Type::U64: case Type::I64: return as_u64(value);
    case Type::F16: case Type::PkF16: case Type::U16: return _cvtss_sh((float)value, 0);
    case Type::BF16: case Type::PkBF16: return f32_to_bf16((float)value);
    default: return as_u32((float)value);
  }
}

u16 Decoder::scalar_operand(u32 encoded) const {
  if (gfx11_ && encoded == 124) return NullReg;
  if (gfx11_ && encoded == 125) return M0;
  return (u16)encoded;
}

void Decoder::use_literal(Inst &i) {
  if (i.has_literal) return;
  i.has_literal = true;
  i.literal = word(i.size);
  i.size++;
}

void Decoder::source(Inst &i, int k, u32 encoded, Type type) {
  i.raw[k] = (u8)encoded;
  if (encoded >= 256) { i.src[k] = (u16)encoded; return; }
  if (encoded < 128) { i.src[k] = scalar_operand(encoded); return; }
  bool inline_value = encoded <= 208 || (encoded >= 240 && encoded <= 248);
  if (!inline_value && encoded != 255) { i.src[k] = (u16)encoded; return; }
  i.src[k] = Constant;
  if (inline_value) { i.k[k] = inline_constant(encoded, type); return; }
  use_literal(i);
  switch (type) {
    case Type::F64: i.k[k] = (u64)i.literal << 32; break;
    case Type::I64: i.k[k] = (u64)(i64)(i32)i.literal; break;
    default: i.k[k] = i.literal; break;
  }
}

bool Decoder::take(Inst &i, const OpcodeTable &table, u32 opcode, Encoding encoding, int size) {
  if (opcode >= table.size() || !table[opcode].name) return false;
  i.name = table[opcode].name;
  i.op = table[opcode].op;
  i.memory = table[opcode].memory;
  i.encoding = encoding;
  i.size = (u8)size;
  if (!i.op) return false;
  i.run = i.op->run;
  i.cls = i.op->cls;
  return true;
}

void Decoder::finish(Inst &i) {
  const OpInfo &op = *i.op;
  for (int k = 0; k < 3; k++) {
    u32 changed = (i.abs | i.neg) >> k & 1, half = i.opsel >> k & 1;
    switch (op.src[k]) {
      case Type::F32: i.sensitive |= (u8)(2 | (changed ? 0x80 : 0)); break;
      case Type::F64: i.sensitive |= (u8)(4 | (changed ? 0x80 : 0)); break;
      case Type::F16: i.sensitive |= (u8)(4 | (changed || half ? 0x80 : 0)); break;
      case Type::U16: case Type::BF16: i.sensitive |= half ? 0x80 : 0; break;
      default: break;
    }
  }
  // A select does not look at the numbers that it moves.
  if (op.flags & CarryIn) i.sensitive &= 0x80;
  i.post = (op.dst == Type::F32 || op.dst == Type::F64) && (i.clamp || i.omod);
  bool high = i.opsel & 8;
  i.half = high ? Half16::High : gfx11_ || op.flags & KeepsHigh ? Half16::Low : Half16::Zero;
}

void Decoder::implied(Inst &i) {
  const OpInfo &op = *i.op;
  if (op.flags & Accumulates) i.src[2] = i.dst;
  if (op.flags & CarryIn) i.src[2] = VCC;
  if (op.flags & (CarryOut | Compare)) i.sdst = VCC;
  if (op.flags & ScalarDst) i.dst = scalar_operand(i.dst - Vgpr);
  if (op.flags & Packed) i.opsel_hi = 7;
}

bool Decoder::decode(Inst &i) {
  u32 w = word(0);
  for (u16 &s : i.src) s = NoOperand;
  i.dst = i.sdst = i.saddr = i.vdata2 = NoOperand;
  i.size = 1;
  i.gfx11 = gfx11_;
  u32 top6 = w >> 26;
  if (w >> 31 == 0) {
    u32 op = w >> 25 & 63;
    return op == 63 ? decode_vop1(i) : op == 62 ? decode_vopc(i) : decode_vop2(i);
  }
  if (w >> 30 == 2) {
    switch (w >> 23) {
      case 0x17d: return decode_sop1(i);
      case 0x17e: return decode_sopc(i);
      case 0x17f: return decode_sopp(i);
    }
    return w >> 28 == 11 ? decode_sopk(i) : decode_sop2(i);
  }
  if (gfx11_) {
    switch (top6) {
      case 0x35: return decode_vop3(i);
      case 0x33: return w >> 24 == 0xcc ? decode_vop3p(i) : false;
      case 0x32: return decode_vopd(i);
      case 0x3d: return decode_smem(i);
    }
  } else {
    switch (top6) {
      case 0x34: return w >> 23 == 0x1a7 ? decode_vop3p(i) : decode_vop3(i);
      case 0x30: return decode_smem(i);
    }
  }
  switch (top6) {
    case 0x36: return decode_ds(i);
    case 0x37: return decode_flat(i);
    case 0x38: return decode_mubuf(i);
  }
  return false;
}

namespace {

void illegal(Wave &w, const Inst &i) {
  u32 word = w.launch->program->words[(size_t)(&i - w.launch->program->slots.data())];
  w.fail(719, i.name ? format("%s is not modelled", i.name) : format("0x%08x is no instruction that is known", word));
}

// Instructions start out as this: decodes, and lets the run loop come back to it.
void decode_first(Wave &w, const Inst &i) {
  Program *program = const_cast<Program *>(w.launch->program);
  // The loop counts this turn as one of the instruction; it is none yet.
  w.counts[(int)program->decode_slot((size_t)(&i - program->slots.data())).cls]--;
  w.ip = &i;
}

}  // namespace

Program::Program(Arch a, u64 base_address, std::vector<u32> all) : arch(a), base(base_address), words(std::move(all)), slots(words.size()) {
  for (Inst &i : slots) { i.run = decode_first; i.size = 1; i.cls = Class::Other; }
}

const Inst *Program::at(u64 address) const {
  u64 index = (address - base) / 4;
  if (address < base || index >= slots.size() || address % 4) throw Fault(700, format("jump to 0x%llx, outside of the program", (unsigned long long)address));
  return &slots[index];
}

const Inst &Program::decode_slot(size_t index) {
  std::lock_guard hold(decoding);
  Inst &slot = slots[index];
  if (slot.run != decode_first) return slot;
  Inst i{};
  if (!Decoder(*this, index).decode(i)) { i.run = illegal; i.op = nullptr; i.cls = Class::Other; i.size = 1; }
  Handler run = i.run;
  i.run = decode_first;
  memcpy((void *)&slot, &i, sizeof i);
  // Others may be looking: the handler goes last.
  __atomic_store_n(&slot.run, run, __ATOMIC_RELEASE);
  return slot;
}

std::string_view base_name(const Inst &inst) { return inst.name ? inst.name : "?"; }

}  // namespace gfxemu
