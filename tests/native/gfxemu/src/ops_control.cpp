// Branches, barriers, the program counter, hardware registers; and what this machine has no need of.
#include "ops.h"
#include "program.h"
#include "wave.h"

#include <chrono>

namespace gfxemu {
namespace {

const Inst *branch_target(const Inst &i) { return &i + 1 + (i16)i.simm; }

template <auto Taken> void branch(Wave &w, const Inst &i) {
  if (!Taken(w)) return;
  const Inst *to = branch_target(i);
  const auto &slots = w.launch->program->slots;
  if (to < slots.data() || to >= slots.data() + slots.size()) w.fail(719, "the branch leaves the program");
  w.ip = to;
}

u64 address_after(Wave &w, const Inst &i) { return w.launch->program->address(&i) + 4; }
void getpc(Wave &w, const Inst &i) { w.scalar_write64(i.dst, address_after(w, i)); }
void setpc(Wave &w, const Inst &i) { w.ip = w.launch->program->at(scalar64(w, i, 0)); }
void swappc(Wave &w, const Inst &i) {
  u64 to = scalar64(w, i, 0);
  w.scalar_write64(i.dst, address_after(w, i));
  w.ip = w.launch->program->at(to);
}
void call(Wave &w, const Inst &i) {
  w.scalar_write64(i.dst, address_after(w, i));
  w.ip = branch_target(i);
}

void endpgm(Wave &w, const Inst &) { w.state = WaveState::Done; w.attention = true; }
void barrier(Wave &w, const Inst &) { w.state = WaveState::Barrier; w.attention = true; }
void nothing(Wave &, const Inst &) {}
void trap(Wave &w, const Inst &i) { w.fail(719, format("the kernel trapped (s_trap %u): abort, assert or an unreachable place", i.simm)); }

// ---- hardware registers: number in bits 0..5, offset in 6..10, size - 1 in 11..15
struct Field { u32 id, offset, mask; };
Field field(u32 simm) { return {simm & 63, simm >> 6 & 31, (u32)((2ull << (simm >> 11 & 31)) - 1)}; }
void getreg(Wave &w, const Inst &i) {
  Field f = field(i.simm);
  u32 value = f.id == 1 ? w.mode : 0;
  w.scalar_write(i.dst, value >> f.offset & f.mask);
}
void write_register(Wave &w, const Inst &i, u32 value) {
  Field f = field(i.simm);
  if (f.id == 1) w.set_mode((w.mode & ~(f.mask << f.offset)) | (value & f.mask) << f.offset);
}
void setreg(Wave &w, const Inst &i) { write_register(w, i, w.s[i.dst]); }
void setreg_imm(Wave &w, const Inst &i) { write_register(w, i, i.literal); }
void round_mode(Wave &w, const Inst &i) { w.set_mode((w.mode & ~15u) | (i.simm & 15)); }
void denorm_mode(Wave &w, const Inst &i) { w.set_mode((w.mode & ~0xf0u) | (i.simm & 15) << 4); }

// ---- register indexing of gfx9: the run loop adds M0 to the registers of what follows
void index_on(Wave &w, const Inst &i) {
  w.s[M0] = (w.s[M0] & ~0xf0ffu) | (scalar(w, i, 0) & 255) | (i.simm & 15) << 12;
  w.gpr_index = w.attention = true;
}
void index_off(Wave &w, const Inst &) { w.gpr_index = false; }
void index_mode(Wave &w, const Inst &i) { w.s[M0] = (w.s[M0] & ~0xf000u) | (i.simm & 15) << 12; }
void index_set(Wave &w, const Inst &i) { w.s[M0] = (w.s[M0] & ~0xffu) | (scalar(w, i, 0) & 255); }

// What messages answer (clocks, doorbells) does not exist here.
void message_answer32(Wave &w, const Inst &i) { w.scalar_write(i.dst, 0); }
void message_answer64(Wave &w, const Inst &i) { w.scalar_write64(i.dst, 0); }

u64 ticks() { return (u64)std::chrono::steady_clock::now().time_since_epoch().count() / 10; }
void clock_read(Wave &w, const Inst &i) { w.scalar_write64(i.dst, ticks()); }

constexpr OpInfo op(const char *name, Handler run, Class cls, Type dst = Type::None, Type src = Type::None) {
  return {name, run, cls, dst, {src, Type::None, Type::None}, (u16)(dst == Type::None ? NoDst : 0)};
}
constexpr OpInfo wait(const char *name) { return op(name, nothing, Class::Wait); }
constexpr OpInfo idle(const char *name) { return op(name, nothing, Class::Other); }

const OpInfo table[] = {
  op("s_branch", branch<[](Wave &) { return true; }>, Class::Branch),
  op("s_cbranch_scc0", branch<[](Wave &w) { return !w.scc; }>, Class::Branch),
  op("s_cbranch_scc1", branch<[](Wave &w) { return w.scc != 0; }>, Class::Branch),
  op("s_cbranch_vccz", branch<[](Wave &w) { return w.mask_read(VCC) == 0; }>, Class::Branch),
  op("s_cbranch_vccnz", branch<[](Wave &w) { return w.mask_read(VCC) != 0; }>, Class::Branch),
  op("s_cbranch_execz", branch<[](Wave &w) { return w.exec == 0; }>, Class::Branch),
  op("s_cbranch_execnz", branch<[](Wave &w) { return w.exec != 0; }>, Class::Branch),
  op("s_getpc_b64", getpc, Class::Branch, Type::U64),
  op("s_setpc_b64", setpc, Class::Branch, Type::None, Type::U64),
  op("s_swappc_b64", swappc, Class::Branch, Type::U64, Type::U64),
  op("s_call_b64", call, Class::Branch, Type::U64),
  op("s_endpgm", endpgm, Class::Other), op("s_endpgm_saved", endpgm, Class::Other), op("s_trap", trap, Class::Other),
  op("s_barrier", barrier, Class::Barrier),
  op("s_getreg_b32", getreg, Class::Salu, Type::U32), op("s_setreg_b32", setreg, Class::Salu, Type::U32), op("s_setreg_imm32_b32", setreg_imm, Class::Salu),
  op("s_sendmsg_rtn_b32", message_answer32, Class::Salu, Type::U32), op("s_sendmsg_rtn_b64", message_answer64, Class::Salu, Type::U64),
  op("s_round_mode", round_mode, Class::Salu), op("s_denorm_mode", denorm_mode, Class::Salu),
  op("s_set_gpr_idx_on", index_on, Class::Salu, Type::None, Type::U32), op("s_set_gpr_idx_off", index_off, Class::Salu),
  op("s_set_gpr_idx_mode", index_mode, Class::Salu), op("s_set_gpr_idx_idx", index_set, Class::Salu, Type::None, Type::U32),
  op("s_memtime", clock_read, Class::Smem, Type::U64), op("s_memrealtime", clock_read, Class::Smem, Type::U64),
  wait("s_waitcnt"), wait("s_waitcnt_depctr"), wait("s_waitcnt_vscnt"), wait("s_waitcnt_vmcnt"), wait("s_waitcnt_expcnt"), wait("s_waitcnt_lgkmcnt"),
  wait("s_delay_alu"), wait("s_clause"), wait("s_nop"), wait("s_wait_idle"), idle("s_code_end"),
  idle("s_sleep"), idle("s_setprio"), idle("s_sethalt"), idle("s_sendmsg"), idle("s_set_inst_prefetch_distance"), idle("s_icache_inv"),
  idle("s_wakeup"), idle("s_incperflevel"), idle("s_decperflevel"), idle("s_ttracedata"), idle("s_ttracedata_imm"), idle("s_setkill"),
  idle("s_dcache_inv"), idle("s_dcache_wb"), idle("s_gl1_inv"), idle("buffer_wbl2"), idle("buffer_inv"), idle("buffer_gl0_inv"), idle("buffer_gl1_inv"),
  idle("v_nop"), idle("v_pipeflush"), idle("ds_nop"),
};

}  // namespace

OpTable control_ops() { return table; }

}  // namespace gfxemu
