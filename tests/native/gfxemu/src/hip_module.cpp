#include "hip_runtime.h"

#include "fault.h"

#include <algorithm>
#include <fstream>
#include <iterator>

using namespace gfxemu;

namespace {

int load(Runtime &rt, void **out, const void *image) {
  if (!out || !image) return InvalidValue;
  *out = nullptr;
  if (rt.sticky) return rt.sticky;
  try {
    auto m = std::make_unique<Module>();
    m->code = std::make_unique<CodeObject>((const u8 *)image, rt.arch(current_device), *rt.memory);
    rt.modules.insert(m.get());
    *out = m.release();
    return Success;
  } catch (const Fault &f) {
    rt.last_fault = f.what();
    rt.say(std::string("module: ") + f.what());
    return f.code;
  }
}

bool known(Runtime &rt, const Function *f) {
  for (Module *m : rt.modules)
    for (auto &[name, function] : m->functions)
      if (function == f) return true;
  return false;
}

int occupancy(const Kernel &k, int threads, size_t dynamic_lds) {
  Arch arch = k.program->arch;
  bool cdna = arch == Arch::Gfx942;
  int waves = (threads + (int)wave_size(arch) - 1) / (int)wave_size(arch), granule = cdna ? 8 : 24, file = cdna ? 512 : 1536;
  int per_wave = (std::max<int>((int)k.vgprs, 1) + granule - 1) / granule * granule;
  int groups = std::min(file / per_wave, cdna ? 8 : 16) * 4 / std::max(waves, 1);
  if (u64 lds = k.lds_bytes + dynamic_lds) groups = std::min<int>(groups, (int)((cdna ? 65536 : 131072) / ((lds + 511) & ~511ull)));
  return std::min(groups, 32);
}

}  // namespace

GFXEMU_API int hipModuleLoadData(void **m, const void *image) { GFXEMU_CALL; return rt.done(load(rt, m, image)); }
GFXEMU_API int hipModuleLoadDataEx(void **m, const void *image, unsigned, void *, void **) { GFXEMU_CALL; return rt.done(load(rt, m, image)); }
GFXEMU_API int hipModuleLoad(void **m, const char *path) {
  GFXEMU_CALL;
  std::ifstream file(path ? path : "", std::ios::binary);
  if (!file) return rt.done(FileNotFound);
  std::vector<char> bytes((std::istreambuf_iterator<char>(file)), {});
  if (bytes.size() < 64) return rt.done(InvalidImage);
  return rt.done(load(rt, m, bytes.data()));
}
GFXEMU_API int hipModuleUnload(void *handle) {
  GFXEMU_CALL;
  if (!rt.modules.erase((Module *)handle)) return rt.done(InvalidHandle);
  rt.drain_all();
  for (auto &[name, f] : ((Module *)handle)->functions) delete f;
  delete (Module *)handle;
  return 0;
}
GFXEMU_API int hipModuleGetFunction(void **out, void *handle, const char *name) {
  GFXEMU_CALL;
  if (!out || !name) return rt.done(InvalidValue);
  *out = nullptr;
  if (!rt.modules.count((Module *)handle)) return rt.done(InvalidHandle);
  auto *m = (Module *)handle;
  auto kernel = m->code->kernels.find(name);
  if (kernel == m->code->kernels.end()) return rt.done(NotFound);
  Function *&f = m->functions[name];
  if (!f) f = new Function{&kernel->second, m};
  *out = f;
  return 0;
}
GFXEMU_API int hipModuleGetGlobal(void **address, size_t *bytes, void *handle, const char *name) {
  GFXEMU_CALL;
  if (!name || !rt.modules.count((Module *)handle)) return rt.done(InvalidHandle);
  auto &globals = ((Module *)handle)->code->globals;
  auto it = globals.find(name);
  if (it == globals.end()) return rt.done(NotFound);
  if (address) *address = (void *)it->second.address;
  if (bytes) *bytes = it->second.bytes;
  return 0;
}
GFXEMU_API int hipModuleLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned dynamic_lds, void *stream,
                                     void **parameters, void **extra) {
  GFXEMU_CALL;
  if (!known(rt, (Function *)function)) return rt.done(InvalidHandle);
  Node n{Node::Launch};
  n.function = (Function *)function;
  n.grid = {gx, gy, gz};
  n.block = {bx, by, bz};
  n.dynamic_lds = dynamic_lds;
  if (int e = rt.prepare_launch(n, parameters, extra)) return rt.done(e);
  return rt.done(rt.submit(stream, std::move(n)));
}
GFXEMU_API int hipFuncGetAttribute(int *value, int which, void *function) {
  GFXEMU_CALL;
  if (!value || !known(rt, (Function *)function)) return rt.done(InvalidValue);
  const Kernel &k = *((Function *)function)->kernel;
  switch (which) {
    case 0: *value = (int)k.max_group; break;      // MAX_THREADS_PER_BLOCK
    case 1: *value = (int)k.lds_bytes; break;      // SHARED_SIZE_BYTES
    case 2: *value = 0; break;                     // CONST_SIZE_BYTES
    case 3: *value = (int)k.scratch_bytes; break;  // LOCAL_SIZE_BYTES
    case 4: *value = (int)k.vgprs; break;          // NUM_REGS
    case 8: *value = 65536 - (int)k.lds_bytes; break;
    default: *value = 0;
  }
  return 0;
}
GFXEMU_API int hipFuncSetAttribute(const void *, int which, int value) { GFXEMU_CALL; return rt.done(which == 8 && value > 65536 ? InvalidValue : Success); }
GFXEMU_API int hipModuleOccupancyMaxActiveBlocksPerMultiprocessor(int *groups, void *function, int threads, size_t dynamic_lds) {
  GFXEMU_CALL;
  if (!groups || threads <= 0 || !known(rt, (Function *)function)) return rt.done(InvalidValue);
  const Kernel &k = *((Function *)function)->kernel;
  *groups = threads > (int)k.max_group ? 0 : occupancy(k, threads, dynamic_lds);
  return 0;
}
