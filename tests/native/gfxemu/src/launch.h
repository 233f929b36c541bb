// Runs a kernel over its grid.
#pragma once
#include "code_object.h"
#include "wave.h"

namespace gfxemu {

struct Size3 { u32 x = 1, y = 1, z = 1; u64 count() const { return (u64)x * y * z; } };

struct LaunchOptions {
  bool poison = false;      // registers and LDS start as NaN
  bool check_races = false; // LDS accesses of different waves must be parted by barriers
  u64 budget = 0;           // instructions after which a wave counts as hung
  u32 slice = 0;            // instructions after which the next wave of the workgroup has its turn; 0: at barriers only
  int threads = 1;
};

struct LaunchCounts {
  u64 classes[(int)Class::Count] = {};
  u64 waves = 0, groups = 0;
  double seconds = 0;
  u64 total() const { u64 n = 0; for (u64 c : classes) n += c; return n; }
};

// Throws a Fault that names kernel, workgroup, wave, address and instruction. `kernargs` lies in memory that kernels may read.
void run_kernel(const Kernel &kernel, Size3 grid, Size3 block, u32 dynamic_lds, u64 kernargs, u64 dispatch_packet, const AddressSpace &memory,
                const LaunchOptions &options, LaunchCounts &counts);

// Fills the arguments that the compiler adds.
void fill_hidden_arguments(const Kernel &kernel, u8 *kernargs, Size3 grid, Size3 block, u32 dynamic_lds);

const char *class_name(Class cls);

}  // namespace gfxemu
