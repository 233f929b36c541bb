// Runs the waves of one workgroup at a time; each worker thread has one.
#pragma once
#include "launch.h"

#include <memory>

namespace gfxemu {

struct GroupId { u32 x, y, z; };

class Executor {
 public:
  Executor(const Kernel &kernel, LaunchState &launch, const LaunchOptions &options, Size3 block, u32 lds_bytes, u64 kernargs, u64 packet);
  void run(GroupId id);
  LaunchCounts counts;

 private:
  void prepare(Wave &w, u32 index, GroupId id);
  void set_scalars(Wave &w, GroupId id);
  void run_wave(Wave &w);
  void step_indexed(Wave &w);
  [[noreturn]] void rethrow(const Wave &w, const Fault &f, GroupId id) const;

  const Kernel &kernel_;
  LaunchState &launch_;
  const LaunchOptions &options_;
  Size3 block_;
  u64 kernargs_, packet_;
  u64 turn_;                // instructions before the next wave has its turn
  Group group_;
  std::vector<u8> lds_;
  std::vector<std::unique_ptr<Wave>> waves_;
  std::vector<std::unique_ptr<u32[]>> registers_;
  std::vector<std::vector<u8>> scratch_;
};

}  // namespace gfxemu
