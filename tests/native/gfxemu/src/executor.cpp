#include "executor.h"

#include "print.h"
#include "program.h"

#include <algorithm>

namespace gfxemu {

Executor::Executor(const Kernel &kernel, LaunchState &launch, const LaunchOptions &options, Size3 block, u32 lds_bytes, u64 kernargs, u64 packet)
    : kernel_(kernel), launch_(launch), options_(options), block_(block), kernargs_(kernargs), packet_(packet), turn_(options.slice ? options.slice : 1 << 20) {
  lds_.resize(lds_bytes + 64);
  group_.launch = &launch;
  group_.lds = lds_.data();
  group_.lds_bytes = lds_bytes;
  if (options.check_races) group_.races.resize(lds_bytes / 4 + 1);
  u32 count = (u32)((block.count() + launch.wave_size - 1) / launch.wave_size);
  for (u32 k = 0; k < count; k++) {
    waves_.push_back(std::make_unique<Wave>());
    registers_.push_back(std::make_unique<u32[]>(RegisterRows * MaxLanes));
    scratch_.emplace_back((size_t)launch.scratch_bytes * launch.wave_size);
  }
}

void Executor::set_scalars(Wave &w, GroupId id) {
  u32 n = 0;
  auto put = [&](u32 v) { w.s[n++] = v; };
  auto put64 = [&](u64 v) { put((u32)v); put((u32)(v >> 32)); };
  u32 p = kernel_.properties;
  if (p & 1) { put64(0); put64(0); }      // private segment buffer: scratch is addressed without one here
  if (p & 2) put64(packet_);              // dispatch packet
  if (p & 4) put64(0);                    // queue
  if (p & 8) put64(kernargs_);
  if (p & 16) put64(1);                   // dispatch id
  if (p & 32) put64(0);                   // flat scratch
  if (p & 64) put(launch_.scratch_bytes);
  // Arguments that the hardware loads ahead: a length in bits 0..6, an offset in 7..15, in dwords.
  u32 length = kernel_.preload & 127, offset = kernel_.preload >> 7 & 511;
  for (u32 k = 0; k < length; k++) { u32 v; memcpy(&v, (void *)(kernargs_ + 4 * (offset + k)), 4); put(v); }
  n = std::max(n, kernel_.rsrc2 >> 1 & 31);
  if (kernel_.rsrc2 >> 7 & 1) put(id.x);
  if (kernel_.rsrc2 >> 8 & 1) put(id.y);
  if (kernel_.rsrc2 >> 9 & 1) put(id.z);
  if (kernel_.rsrc2 >> 10 & 1) put((u32)waves_.size());
}

void Executor::prepare(Wave &w, u32 index, GroupId id) {
  u32 *v = registers_[index].get();
  u64 *counts = w.counts;
  u64 kept[(int)Class::Count];
  memcpy(kept, counts, sizeof kept);
  memset((void *)&w, 0, sizeof w);
  memcpy(w.counts, kept, sizeof kept);
  w.v = v;
  w.group = &group_;
  w.launch = &launch_;
  w.scratch = scratch_[index].data();
  w.id = index;
  w.lanes = launch_.wave_size;
  w.full_exec = w.lanes == 64 ? ~0ull : 0xffffffffull;
  u32 initial = options_.poison ? PoisonWord : 0;
  u32 rows = kernel_.vgprs ? std::min(256u, kernel_.vgprs + 8) : 256;
  std::fill_n(v, rows * MaxLanes, initial);
  if (kernel_.agprs || !kernel_.vgprs) std::fill_n(v + 256 * MaxLanes, 256 * MaxLanes, initial);
  for (u32 k = 0; k < 128; k++) w.s[k] = k < NullReg ? initial : 0;
  if (options_.poison) std::fill(scratch_[index].begin(), scratch_[index].end(), 0xff);
  set_scalars(w, id);
  u64 first = (u64)index * w.lanes, items = block_.count(), on = std::min<u64>(w.lanes, items - first);
  for (u32 l = 0; l < w.lanes; l++) {
    u64 item = first + l;
    u32 x = (u32)(item % block_.x), y = (u32)(item / block_.x % block_.y), z = (u32)(item / block_.x / block_.y);
    v[l] = l < on ? x | y << 10 | z << 20 : initial;
  }
  u64 exec = on == 64 ? ~0ull : (1ull << on) - 1;
  w.s[EXEC] = (u32)exec;
  w.s[EXEC + 1] = (u32)(exec >> 32);
  w.set_exec(exec);
  u32 r = kernel_.rsrc1;
  w.set_mode((r >> 12 & 255) | (r >> 21 & 1) << 8 | (r >> 23 & 1) << 9 | (r >> 26 & 1) << 23);
  // Where arguments are loaded ahead, the code that would load them fills the first 256 bytes.
  w.ip = kernel_.program->at(kernel_.entry + (kernel_.preload & 127 ? 256 : 0));
  w.state = WaveState::Running;
}

void Executor::step_indexed(Wave &w) {
  const Inst *i = w.ip;
  if (i->cls != Class::Valu || !i->op) { w.current = i; w.ip = i + i->size; w.counts[(int)i->cls]++; i->run(w, *i); return; }
  Inst changed = *i;
  u32 index = w.s[M0] & 255, enabled = w.s[M0] >> 12 & 15;
  for (int k = 0; k < 3; k++)
    if (enabled >> k & 1 && is_vector(changed.src[k])) changed.src[k] = (u16)(changed.src[k] + index);
  if (enabled >> 3 & 1 && is_vector(changed.dst)) changed.dst = (u16)(changed.dst + index);
  w.current = i;
  w.ip = i + i->size;
  w.counts[(int)i->cls]++;
  i->run(w, changed);
}

void Executor::run_wave(Wave &w) {
  _mm_setcsr(w.csr32);
  u64 slice = turn_;
  while (slice--) {
    const Inst *i = w.ip;
    Handler run = __atomic_load_n(&i->run, __ATOMIC_ACQUIRE);
    w.current = i;
    w.ip = i + i->size;
    run(w, *i);
    w.counts[(int)i->cls]++;
    if (w.attention) [[unlikely]] {
      if (w.state != WaveState::Running) return;
      while (w.gpr_index && w.state == WaveState::Running) step_indexed(w);
      w.attention = w.state != WaveState::Running;
      if (w.attention) return;
    }
  }
}

void Executor::rethrow(const Wave &w, const Fault &f, GroupId id) const {
  const Inst *i = w.current;
  u64 pc = i ? kernel_.program->address(i) : 0;
  throw Fault(f.code, format("kernel %s, workgroup (%u, %u, %u), wave %u, pc 0x%llx (+0x%llx), %s: %s", kernel_.name.c_str(), id.x, id.y, id.z, w.id,
                             (unsigned long long)pc, (unsigned long long)(pc - kernel_.entry), i ? print(*i).c_str() : "?", f.what()));
}

void Executor::run(GroupId id) {
  memset(lds_.data(), options_.poison ? 0xff : 0, lds_.size());
  std::fill(group_.races.begin(), group_.races.end(), Group::RaceCell{});
  group_.epoch = 1;
  for (u32 k = 0; k < waves_.size(); k++) {
    prepare(*waves_[k], k, id);
    counts.waves++;
  }
  counts.groups++;
  u64 turns = 0;
  for (bool any = true; any;) {
    any = false;
    bool running = false;
    for (auto &w : waves_) {
      if (w->state == WaveState::Done) continue;
      any = true;
      if (w->state == WaveState::Barrier) continue;
      try {
        if (options_.budget && turns * turn_ > options_.budget)
          w->fail(702, format("the wave runs for more than %llu instructions", (unsigned long long)options_.budget));
        run_wave(*w);
      } catch (const Fault &f) {
        for (u32 c = 0; c < (u32)Class::Count; c++) for (auto &q : waves_) counts.classes[c] += q->counts[c], q->counts[c] = 0;
        rethrow(*w, f, id);
      }
      running |= w->state == WaveState::Running;
    }
    turns++;
    // Once every wave that is left has come to the barrier, all go on.
    if (any && !running) {
      group_.epoch++;
      for (auto &w : waves_)
        if (w->state == WaveState::Barrier) { w->state = WaveState::Running; w->attention = false; }
    }
  }
  for (auto &w : waves_)
    for (u32 c = 0; c < (u32)Class::Count; c++) { counts.classes[c] += w->counts[c]; w->counts[c] = 0; }
}

}  // namespace gfxemu
