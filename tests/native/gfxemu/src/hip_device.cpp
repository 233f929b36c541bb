#include "hip_runtime.h"

#include <cstdio>

using namespace gfxemu;

namespace {

constexpr u32 LdsBytes = 65536;
const char *device_name(Arch arch) { return arch == Arch::Gfx942 ? "Emulated gfx942" : "Emulated gfx1100"; }
std::string full_arch(Arch arch) { return arch == Arch::Gfx942 ? "gfx942:sramecc+:xnack-" : "gfx1100"; }
bool valid(const Runtime &rt, int device) { return device >= 0 && device < rt.devices; }

// Offsets in hipDeviceProp_t as ROCm 6 and 7 lay it out (R0600), and as ROCm 5 did.
struct Layout { size_t bytes, arch, memory, lds, warp, threads, dims, grid, units, lds_unit, major; };
const Layout r0600{1472, 1160, 288, 296, 308, 320, 324, 336, 388, 640, 360}, r0000{792, 396, 256, 264, 276, 280, 284, 296, 340, 384, 332};

void fill(char *p, const Layout &l, const Runtime &rt, int device) {
  Arch arch = rt.arch(device);
  auto put = [&](size_t at, auto value) { memcpy(p + at, &value, sizeof value); };
  memset(p, 0, l.bytes);
  snprintf(p, 256, "%s", device_name(arch));
  snprintf(p + l.arch, 256, "%s", full_arch(arch).c_str());
  put(l.memory, rt.memory->capacity());
  put(l.lds, (u64)LdsBytes);
  put(l.lds_unit, (u64)LdsBytes);
  put(l.warp, wave_size(arch));
  put(l.threads, 1024u);
  for (int d = 0; d < 3; d++) {
    put(l.dims + 4 * (size_t)d, 1024u);
    put(l.grid + 4 * (size_t)d, d ? 65536u : 2147483647u);
  }
  put(l.units, compute_units(arch));
  put(l.major, arch == Arch::Gfx942 ? 9u : 11u);
  put(l.major + 4, arch == Arch::Gfx942 ? 4u : 0u);
}

// Numbers of hipDeviceAttribute_t since ROCm 5.0.
bool attribute(Arch arch, int which, int &value) {
  bool cdna = arch == Arch::Gfx942;
  switch (which) {
    case 0: value = cdna; return true;                       // EccEnabled
    case 2: value = 8; return true;                          // AsyncEngineCount
    case 3: case 8: case 10: case 24: case 78: case 85: case 88: case 90: value = 1; return true;
    case 5: value = cdna ? 2100000 : 2482000; return true;   // ClockRate
    case 6: case 9: case 11: case 16: case 17: case 18: case 65: case 68: case 69: case 73: case 89: value = 0; return true;
    case 19: value = cdna ? 4194304 : 6291456; return true;  // L2CacheSize
    case 23: value = cdna ? 9 : 11; return true;             // ComputeCapabilityMajor
    case 61: value = cdna ? 4 : 0; return true;              // ComputeCapabilityMinor
    case 25: value = 2; return true;                         // MaxBlocksPerMultiProcessor
    case 26: case 27: case 28: case 55: case 56: value = 1024; return true;
    case 29: case 58: case 83: case 84: value = 2147483647; return true;
    case 30: case 31: value = 65536; return true;            // MaxGridDimY, Z
    case 57: value = 2048; return true;                      // MaxThreadsPerMultiProcessor
    case 59: value = cdna ? 8192 : 384; return true;         // MemoryBusWidth
    case 60: value = 1300000; return true;                   // MemoryClockRate
    case 63: case 10015: value = (int)compute_units(arch); return true;
    case 67: value = 1; return true;                         // PciBusId
    case 71: case 72: value = 65536; return true;            // registers per block, per multiprocessor
    case 74: case 75: case 76: case 10002: value = LdsBytes; return true;
    case 81: value = 256; return true;                       // TextureAlignment
    case 87: value = (int)wave_size(arch); return true;       // WarpSize
  }
  return false;
}

}  // namespace

GFXEMU_API int hipInit(unsigned flags) { GFXEMU_CALL; return rt.done(flags ? InvalidValue : Success); }
GFXEMU_API int hipDriverGetVersion(int *version) { GFXEMU_CALL; if (!version) return rt.done(InvalidValue); *version = rt.version; return 0; }
GFXEMU_API int hipRuntimeGetVersion(int *version) { GFXEMU_CALL; if (!version) return rt.done(InvalidValue); *version = rt.version; return 0; }
GFXEMU_API int hipGetDeviceCount(int *count) {
  GFXEMU_CALL;
  if (!count) return rt.done(InvalidValue);
  *count = rt.devices;
  return rt.done(rt.devices ? Success : NoDevice);
}
GFXEMU_API int hipSetDevice(int device) { GFXEMU_CALL; if (!valid(rt, device)) return rt.done(InvalidDevice); current_device = device; return 0; }
GFXEMU_API int hipGetDevice(int *device) { GFXEMU_CALL; if (!device) return rt.done(InvalidValue); *device = current_device; return 0; }
GFXEMU_API int hipDeviceGet(int *device, int ordinal) { GFXEMU_CALL; if (!device) return rt.done(InvalidValue); if (!valid(rt, ordinal)) return rt.done(InvalidDevice); *device = ordinal; return 0; }
GFXEMU_API int hipDeviceGetName(char *name, int capacity, int device) {
  GFXEMU_CALL;
  if (!valid(rt, device)) return rt.done(InvalidDevice);
  snprintf(name, (size_t)capacity, "%s", device_name(rt.arch(device)));
  return 0;
}
GFXEMU_API int hipDeviceTotalMem(size_t *bytes, int device) { GFXEMU_CALL; if (!valid(rt, device)) return rt.done(InvalidDevice); *bytes = rt.memory->capacity(); return 0; }
GFXEMU_API int hipDeviceGetPCIBusId(char *id, int capacity, int device) { GFXEMU_CALL; if (!valid(rt, device)) return rt.done(InvalidDevice); snprintf(id, (size_t)capacity, "0000:%02x:00.0", device + 1); return 0; }
GFXEMU_API int hipDeviceGetUuid(char *id, int device) { GFXEMU_CALL; if (!valid(rt, device)) return rt.done(InvalidDevice); memcpy(id, "gfxemu-device-00", 16); id[15] = (char)('0' + device); return 0; }
GFXEMU_API int hipDeviceComputeCapability(int *major, int *minor, int device) { GFXEMU_CALL; if (!valid(rt, device)) return rt.done(InvalidDevice); attribute(rt.arch(device), 23, *major); attribute(rt.arch(device), 61, *minor); return 0; }
GFXEMU_API int hipDeviceGetAttribute(int *value, int which, int device) {
  GFXEMU_CALL;
  if (!value) return rt.done(InvalidValue);
  if (!valid(rt, device)) return rt.done(InvalidDevice);
  return rt.done(attribute(rt.arch(device), which, *value) ? Success : InvalidValue);
}
GFXEMU_API int hipGetDevicePropertiesR0600(char *properties, int device) {
  GFXEMU_CALL;
  if (!properties) return rt.done(InvalidValue);
  if (!valid(rt, device)) return rt.done(InvalidDevice);
  fill(properties, r0600, rt, device);
  return 0;
}
GFXEMU_API int hipGetDeviceProperties(char *properties, int device) {
  GFXEMU_CALL;
  if (!properties) return rt.done(InvalidValue);
  if (!valid(rt, device)) return rt.done(InvalidDevice);
  fill(properties, r0000, rt, device);
  return 0;
}
GFXEMU_API int hipDeviceGetStreamPriorityRange(int *least, int *greatest) { GFXEMU_CALL; if (least) *least = 1; if (greatest) *greatest = -1; return 0; }
GFXEMU_API int hipDeviceCanAccessPeer(int *can, int device, int peer) { GFXEMU_CALL; *can = device != peer; return 0; }
GFXEMU_API int hipDeviceSynchronize() { GFXEMU_CALL; return rt.done(rt.wait(nullptr, true)); }
GFXEMU_API int hipDeviceReset() { GFXEMU_CALL; rt.drain_all(); rt.sticky = 0; return 0; }
