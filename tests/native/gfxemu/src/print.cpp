#include "print.h"

#include "decode.h"
#include "fault.h"
#include "wave.h"

namespace gfxemu {
namespace {

std::string range(const char *file, u32 first, int words) {
  return words <= 1 ? format("%s%u", file, first) : format("%s[%u:%u]", file, first, first + (u32)words - 1);
}

std::string scalar_name(u32 r, int words, bool gfx11) {
  if (r < VCC) {
    if (!gfx11 && r >= 102 && r < 104) return words == 2 ? "flat_scratch" : r == 102 ? "flat_scratch_lo" : "flat_scratch_hi";
    return range("s", r, words);
  }
  if (r < TTMP) return words >= 2 ? "vcc" : r == VCC ? "vcc_lo" : "vcc_hi";
  if (r < M0) return range("ttmp", r - TTMP, words);
  switch (r) {
    case M0: return "m0";
    case NullReg: return "null";
    case EXEC: return words >= 2 ? "exec" : "exec_lo";
    case EXEC + 1: return "exec_hi";
    case SharedBase: return "src_shared_base";
    case SharedLimit: return "src_shared_limit";
    case PrivateBase: return "src_private_base";
    case PrivateLimit: return "src_private_limit";
    case VCCZ: return "src_vccz";
    case EXECZ: return "src_execz";
    case SCC: return "src_scc";
  }
  return format("?%u", r);
}

std::string constant(const Inst &i, int k) {
  u32 e = i.raw[k];
  if (e == 255) return format("0x%x", i.literal);
  if (e <= 192) return std::to_string(e - 128);
  if (e <= 208) return std::to_string(-(int)(e - 192));
  static const char *const floats[9] = {"0.5", "-0.5", "1.0", "-1.0", "2.0", "-2.0", "4.0", "-4.0", "0.15915494"};
  bool wide = i.op->src[k] == Type::F64 || i.op->src[k] == Type::U64;
  return e == 248 && wide ? "0.15915494309189532" : floats[e - 240];
}

class Printer {
 public:
  explicit Printer(const Inst &i) : i_(i), gfx11_(false) {}
  std::string run(bool gfx11) {
    gfx11_ = gfx11;
    text_ = std::string(base_name(i_));
    static const char *const suffixes[] = {"", "_e32", "_e64", "_dpp", "_sdwa", "_e64_dpp"};
    text_ += suffixes[i_.suffix];
    if (!i_.op) return text_;
    switch (i_.encoding) {
      case Encoding::Sopp: break;
      case Encoding::Sopk: if (!(i_.op->flags & NoDst)) add(scalar(i_.dst, i_.op->dst)); add(format("0x%x", i_.simm)); break;
      case Encoding::Smem: smem(); break;
      case Encoding::Ds: ds(); break;
      case Encoding::Flat: case Encoding::Global: case Encoding::Scratch: flat(); break;
      case Encoding::Mubuf: mubuf(); break;
      case Encoding::Vopd: dual(); break;
      default: alu(); break;
    }
    return text_;
  }

 private:
  void add(const std::string &operand) { text_ += (operands_++ ? ", " : " ") + operand; }
  void modifier(const std::string &m) { text_ += " " + m; }
  int words(Type t) const { return dwords(t, gfx11_ ? 32 : 64); }
  std::string scalar(u32 r, Type t) const { return scalar_name(r, words(t), gfx11_); }
  std::string vector(u32 r, int count) const { return r >= Agpr ? range("a", r - Agpr, count) : range("v", r - Vgpr, count); }
  std::string any(u32 r, int count) const { return is_vector(r) ? vector(r, count) : scalar_name(r, count, gfx11_); }

  std::string source(int k) const {
    std::string s = i_.src[k] == Constant ? constant(i_, k) : any(i_.src[k], words(i_.op->src[k]));
    if (i_.op->flags & Packed && !(i_.op->flags & MixedHalves)) return s;
    bool abs = (i_.op->flags & MixedHalves ? i_.neg_hi : i_.abs) >> k & 1, neg = i_.neg >> k & 1;
    if (abs) s = "|" + s + "|";
    return neg ? "-" + s : s;
  }

  void alu() {
    const OpInfo &op = *i_.op;
    if (op.flags & NoDst && op.src[0] == Type::None) return;
    bool short_compare = op.flags & Compare && gfx11_ && op.flags & WritesExec;
    if (op.flags & Compare) { if (!short_compare) add(scalar_name(i_.sdst, gfx11_ ? 1 : 2, gfx11_)); }
    else if (!(op.flags & NoDst)) add(op.flags & ScalarDst || i_.encoding <= Encoding::Sopp ? scalar(i_.dst, op.dst) : vector(i_.dst, words(op.dst)));
    if (op.flags & CarryOut && !(op.flags & Compare)) add(scalar_name(i_.sdst, gfx11_ ? 1 : 2, gfx11_));
    for (int k = 0; k < 3; k++)
      if (i_.src[k] != NoOperand && op.src[k] != Type::None && !(k == 2 && op.flags & Accumulates)) add(source(k));
    if (i_.clamp) modifier("clamp");
  }
  void smem() {
    if (!i_.memory) { if (i_.op->dst != Type::None) add(scalar(i_.dst, i_.op->dst)); return; }
    add(range_of(i_.dst, i_.memory->bytes / 4));
    add(range_of(i_.src[0], base_name(i_).starts_with("s_buffer") ? 4 : 2));
    if (i_.saddr != NoOperand) {
      add(scalar_name(i_.saddr, 1, gfx11_));
      if (i_.offset) modifier(format("offset:0x%x", i_.offset));
    } else add(i_.offset < 0 ? format("-0x%x", -i_.offset) : format("0x%x", i_.offset));
  }
  std::string range_of(u32 r, int count) const { return scalar_name(r, count, gfx11_); }
  int data_words() const { return i_.memory->bytes < 4 ? 1 : i_.memory->bytes / 4; }

  void ds() {
    if (!i_.memory) return;
    const MemoryInfo &m = *i_.memory;
    std::string_view name = base_name(i_);
    bool swizzle = name == "ds_swizzle_b32", permute = m.op == MemoryOp::Nothing;
    bool two = m.op == MemoryOp::Load2 || m.op == MemoryOp::Store2 || m.op == MemoryOp::Exchange2;
    bool result = m.op == MemoryOp::Load || m.op == MemoryOp::Load2 || m.op == MemoryOp::Exchange2 || m.returns || permute;
    if (result) add(vector(i_.dst, data_words() * (m.op == MemoryOp::Load2 || m.op == MemoryOp::Exchange2 ? 2 : 1)));
    add(vector(i_.src[0], 1));
    if (m.op == MemoryOp::Store || m.op == MemoryOp::Store2 || m.op == MemoryOp::Exchange2 || m.op == MemoryOp::Atomic || (permute && !swizzle)) add(vector(i_.src[1], data_words()));
    bool second = m.op == MemoryOp::Atomic && (m.atomic == AtomicOp::CmpSwap || m.atomic == AtomicOp::CmpSwapF || m.atomic == AtomicOp::MskOr || m.atomic == AtomicOp::Wrap);
    if (m.op == MemoryOp::Store2 || m.op == MemoryOp::Exchange2 || second) add(vector(i_.vdata2, data_words()));
    if (two) {
      i32 scale = m.bytes * (m.stride64 ? 64 : 1);
      if (i_.offset) modifier(format("offset0:%d", i_.offset / scale));
      if (i_.offset2) modifier(format("offset1:%d", i_.offset2 / scale));
    } else if (i_.offset && !swizzle) modifier(format("offset:%d", i_.offset));
  }
  void flat() {
    const MemoryInfo &m = *i_.memory;
    bool scratch = i_.encoding == Encoding::Scratch, returns = m.op == MemoryOp::Atomic && i_.glc;
    if ((m.op == MemoryOp::Load && !m.to_lds) || returns) add(vector(i_.dst, data_words()));
    add(i_.src[0] == NoOperand ? "off" : vector(i_.src[0], scratch || i_.saddr != NoOperand ? 1 : 2));
    bool compares = m.op == MemoryOp::Atomic && (m.atomic == AtomicOp::CmpSwap || m.atomic == AtomicOp::CmpSwapF);
    if (m.op != MemoryOp::Load) add(vector(i_.src[1], data_words() * (compares ? 2 : 1)));
    if (i_.encoding != Encoding::Flat) add(i_.saddr == NoOperand ? "off" : scalar_name(i_.saddr, scratch ? 1 : 2, gfx11_));
    if (i_.offset) modifier(format("offset:%d", i_.offset));
  }
  void mubuf() {
    if (!i_.memory) return;
    const MemoryInfo &m = *i_.memory;
    bool compares = m.op == MemoryOp::Atomic && (m.atomic == AtomicOp::CmpSwap || m.atomic == AtomicOp::CmpSwapF);
    if (!i_.lds && !m.to_lds) add(vector(i_.dst, data_words() * (compares ? 2 : 1)));
    add(i_.offen || i_.idxen ? vector(i_.src[0], i_.offen && i_.idxen ? 2 : 1) : "off");
    add(range("s", i_.src[2], 4));
    add(i_.saddr == Constant ? constant(i_, 0) : scalar_name(i_.saddr, 1, gfx11_));
    if (i_.offset) modifier(format("offset:%d", i_.offset));
  }
  void dual() {
    Printer x(*i_.inner), y(*i_.inner2);
    x.gfx11_ = y.gfx11_ = true;
    x.text_ = "v_dual_" + std::string(base_name(*i_.inner).substr(2));
    y.text_ = "v_dual_" + std::string(base_name(*i_.inner2).substr(2));
    x.half(i_.dst);
    y.half(i_.inner2->dst);
    text_ = x.text_ + " :: " + y.text_;
  }
  void half(u32 destination) {
    add(vector(destination, 1));
    bool implied_mask = i_.op->flags & CarryIn;
    for (int k = 0; k < 3; k++)
      if (i_.src[k] != NoOperand && i_.op->src[k] != Type::None && !(k == 2 && (i_.op->flags & Accumulates || implied_mask))) add(source(k));
  }

  const Inst &i_;
  bool gfx11_;
  std::string text_;
  int operands_ = 0;
};

}  // namespace

std::string print(const Inst &i) { return Printer(i).run(i.gfx11); }

}  // namespace gfxemu
