#include "launch.h"

#include "executor.h"
#include "worker_pool.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>

namespace gfxemu {

const char *class_name(Class cls) {
  static const char *const names[] = {"salu", "branch", "smem", "valu", "trans", "matrix", "lds", "load", "store", "atomic", "barrier", "wait", "other"};
  return names[(int)cls];
}

void fill_hidden_arguments(const Kernel &kernel, u8 *kernargs, Size3 grid, Size3 block, u32 dynamic_lds) {
  const u32 groups[3] = {grid.x, grid.y, grid.z}, sizes[3] = {block.x, block.y, block.z};
  for (auto &a : kernel.arguments) {
    if (!a.hidden()) continue;
    u64 value = 0;
    int d = a.kind.empty() ? 0 : a.kind.back() - 'x';
    if (a.kind.starts_with("hidden_block_count_")) value = groups[d];
    else if (a.kind.starts_with("hidden_group_size_")) value = sizes[d];
    else if (a.kind == "hidden_grid_dims") value = grid.z * block.z > 1 ? 3 : grid.y * block.y > 1 ? 2 : 1;
    else if (a.kind == "hidden_private_base") value = PrivateAperture >> 32;
    else if (a.kind == "hidden_shared_base") value = SharedAperture >> 32;
    else if (a.kind == "hidden_dynamic_lds_size") value = dynamic_lds;
    memcpy(kernargs + a.offset, &value, std::min<u32>(a.size, 8));
  }
}

void run_kernel(const Kernel &kernel, Size3 grid, Size3 block, u32 dynamic_lds, u64 kernargs, u64 packet, const AddressSpace &memory,
                const LaunchOptions &options, LaunchCounts &counts) {
  auto start = std::chrono::steady_clock::now();
  LaunchState launch{kernel.program.get(), &memory, kernel.wave_size, kernel.program->arch == Arch::Gfx1100, kernel.scratch_bytes, options.check_races};
  u64 groups = grid.count();
  std::atomic<u64> next{0};
  std::mutex lock;
  std::optional<Fault> fault;
  u32 lds = (kernel.lds_bytes + dynamic_lds + 3) & ~3u;
  u32 csr = _mm_getcsr();
  WorkerPool::instance().run((int)std::min<u64>(groups, (u64)std::max(options.threads, 1)), [&](int) {
    u32 own_csr = _mm_getcsr();
    Executor executor(kernel, launch, options, block, lds, kernargs, packet);
    try {
      for (u64 g; (g = next.fetch_add(1)) < groups;)
        executor.run({(u32)(g % grid.x), (u32)(g / grid.x % grid.y), (u32)(g / grid.x / grid.y)});
    } catch (const Fault &f) {
      next = groups;
      std::lock_guard hold(lock);
      if (!fault) fault = f;
    }
    std::lock_guard hold(lock);
    for (int c = 0; c < (int)Class::Count; c++) counts.classes[c] += executor.counts.classes[c];
    counts.waves += executor.counts.waves;
    counts.groups += executor.counts.groups;
    _mm_setcsr(own_csr);
  });
  _mm_setcsr(csr);
  counts.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (fault) throw *fault;
}

}  // namespace gfxemu
