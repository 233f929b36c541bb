// A wave and the workgroup around it.
#pragma once
#include "fault.h"
#include "inst.h"

#include <atomic>
#include <vector>

namespace gfxemu {

class AddressSpace;
struct Program;

constexpr int MaxLanes = 64;
constexpr int RegisterRows = 256 + 256 + 8;  // vector registers, accumulators, Scratchpad
constexpr u32 PoisonWord = 0xfffafffa;       // NaN as f32, f16 and bf16; not a canonical address
constexpr u64 SharedAperture = 0x0001000000000000, PrivateAperture = 0x0002000000000000;

enum class WaveState : u8 { Running, Barrier, Done };

// What every wave of a launch shares.
struct LaunchState {
  const Program *program;
  const AddressSpace *memory;
  u32 wave_size;
  bool gfx11;
  u32 scratch_bytes;        // per lane
  bool check_races;
};

// What the waves of one workgroup share.
struct Group {
  LaunchState *launch;
  u8 *lds;
  u32 lds_bytes;
  u32 epoch;                // barriers passed
  struct RaceCell { u32 write_epoch, read_epoch; u16 writer, reader; };
  std::vector<RaceCell> races;   // per LDS dword, when asked for
};

struct alignas(64) Wave {
  const Inst *ip;           // next instruction
  const Inst *current;      // the one that runs
  u32 *v;                   // [RegisterRows][64]
  Group *group;
  LaunchState *launch;
  u8 *scratch;              // [lanes][scratch_bytes]
  u64 exec;
  u64 full_exec;
  bool full;                // every lane is on
  u8 plain;                 // 2: f32 denormals are kept, 4: those of f16 and f64
  WaveState state;
  bool attention;           // the run loop has to look: state changed, or register indexing is on
  bool gpr_index;
  u32 scc;
  u32 mode;
  u32 lanes;
  u32 id;                   // in the workgroup
  u32 csr32, csr64;         // MXCSR for f32, and for f16 and f64
  u32 last_range;           // hint for AddressSpace
  u64 counts[(int)Class::Count];
  u32 s[128];
  alignas(64) u32 mask[MaxLanes];

  u32 *row(u32 operand) { return v + (operand - Vgpr) * MaxLanes; }
  void set_exec(u64 value);
  void set_mode(u32 value);
  [[noreturn]] void fail(int code, const std::string &what) const;

  u64 mask_read(u32 r) const { return lanes == 64 ? join(s[r], s[r + 1]) : s[r]; }
  void mask_write(u32 r, u64 value) {
    if (r == NullReg) return;
    s[r] = (u32)value;
    if (lanes == 64) s[r + 1] = (u32)(value >> 32);
    if (r >= EXEC - 1) set_exec(value);
  }
  void scalar_write(u32 r, u32 value) {
    if (r == NullReg) return;
    s[r] = value;
    if (r >= EXEC) set_exec(join(s[EXEC], s[EXEC + 1]));
  }
  void scalar_write64(u32 r, u64 value) {
    if (r == NullReg) return;
    s[r] = (u32)value;
    s[r + 1] = (u32)(value >> 32);
    if (r >= EXEC - 1) set_exec(join(s[EXEC], s[EXEC + 1]));
  }
};

u32 scalar_special(const Wave &w, u32 operand, bool high);

inline u32 scalar(const Wave &w, const Inst &i, int k) {
  u32 r = i.src[k];
  if (r < 128) return w.s[r];
  if (r == Constant) return (u32)i.k[k];
  return scalar_special(w, r, false);
}
inline u64 scalar64(const Wave &w, const Inst &i, int k) {
  u32 r = i.src[k];
  if (r < 128) return r == NullReg ? 0 : join(w.s[r], w.s[r + 1]);
  if (r == Constant) return i.k[k];
  return join(scalar_special(w, r, false), scalar_special(w, r, true));
}

// Takes the rounding and denormal modes of f16 and f64 for its lifetime where they differ from f32's.
class WideMode {
 public:
  explicit WideMode(const Wave &w) : before_(w.csr32), differs_(w.csr32 != w.csr64) { if (differs_) _mm_setcsr(w.csr64); }
  ~WideMode() { if (differs_) _mm_setcsr(before_); }
  WideMode(const WideMode &) = delete;
 private:
  u32 before_;
  bool differs_;
};

}  // namespace gfxemu
