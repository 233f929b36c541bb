// What tests ask of the emulator itself; a real runtime has none of it.
#include "hip_runtime.h"

#include <cstdio>

using namespace gfxemu;

// An option by its name without GFXEMU_, in lower case; 0 when it was taken. "reset" clears faults, counters and counts of calls.
GFXEMU_API int gfxemuSetOption(const char *name, const char *value) {
  Runtime &rt = Runtime::instance();
  std::lock_guard hold(rt.lock);
  return rt.set_option(name, value) ? 0 : InvalidValue;
}

// The text of the last fault; answers its length.
GFXEMU_API int gfxemuLastFault(char *text, int capacity) {
  Runtime &rt = Runtime::instance();
  std::lock_guard hold(rt.lock);
  if (text && capacity > 0) snprintf(text, (size_t)capacity, "%s", rt.last_fault.c_str());
  return (int)rt.last_fault.size();
}

// Sums since the last reset: launches, waves, workgroups, lines read, lines written, calls of HIP functions, nanoseconds in kernels, then wave-instructions
// of each class: salu, branch, smem, valu, trans, matrix, lds, load, store, atomic, barrier, wait, other; and the most copies that waited in a stream at once (with the
// option "lazy"). Answers how many there are.
GFXEMU_API int gfxemuGetCounters(unsigned long long *values, int capacity) {
  Runtime &rt = Runtime::instance();
  std::lock_guard hold(rt.lock);
  const Counters &c = rt.counters;
  std::vector<u64> all{c.launches, c.kernels.waves, c.kernels.groups, c.lines_read, c.lines_written, c.api_calls, (u64)(c.kernels.seconds * 1e9)};
  all.insert(all.end(), c.kernels.classes, c.kernels.classes + (int)Class::Count);
  all.push_back(c.most_copies_waiting);
  for (int k = 0; k < capacity && k < (int)all.size(); k++) values[k] = all[(size_t)k];
  return (int)all.size();
}

// Handles and allocations that are alive: streams, events, graphs, executable graphs, modules, bytes of device memory.
GFXEMU_API int gfxemuGetLedger(unsigned long long *values, int capacity) {
  Runtime &rt = Runtime::instance();
  std::lock_guard hold(rt.lock);
  const u64 all[] = {rt.streams.size(), rt.events.size(), rt.graphs.size(), rt.executables.size(), rt.modules.size(), rt.memory->used()};
  for (int k = 0; k < capacity && k < 6; k++) values[k] = all[k];
  return 6;
}

// Calls of a HIP function since failures were last scripted, or since the last reset.
GFXEMU_API unsigned long long gfxemuGetCalls(const char *function) {
  Runtime &rt = Runtime::instance();
  std::lock_guard hold(rt.lock);
  return rt.calls_of(function);
}
