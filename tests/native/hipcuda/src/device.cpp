// Devices, properties, errors.
#include "driver.h"

#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <mutex>
#include <string>
#include <unordered_map>

namespace hipcuda {

thread_local int last_error = 0, current_device = 0;

void *find(const char *name) {
  static std::mutex lock;
  static std::unordered_map<std::string, void *> known;
  static void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
  if (!library) return nullptr;
  std::lock_guard hold(lock);
  auto [entry, added] = known.try_emplace(name, nullptr);
  if (added) entry->second = dlsym(library, name);
  return entry->second;
}

int start() {
  static int answer = [] {
    if (!find("cuInit")) return (int)NoDevice;
    int count = 0;
    if (int failed = CUDA(cuInit, 0u)) return failed;
    if (int failed = CUDA(cuDeviceGetCount, &count)) return failed;
    return count ? (int)Success : (int)NoDevice;
  }();
  return answer;
}

int enter() {
  if (int failed = start()) return failed;
  static std::mutex lock;
  static std::unordered_map<int, void *> contexts;
  void *context;
  {
    std::lock_guard hold(lock);
    auto [entry, added] = contexts.try_emplace(current_device, nullptr);
    if (added)
      if (int failed = CUDA(cuDevicePrimaryCtxRetain, &entry->second, current_device)) return failed;
    context = entry->second;
  }
  return CUDA(cuCtxSetCurrent, context);
}

int done(int code) {
  if (code && code != 600) last_error = code;
  return code;
}

namespace {

// hipDeviceAttribute_t to CUdevice_attribute.
int attribute_of(int which) {
  switch (which) {
    case 5: return 13;    // ClockRate
    case 16: return 18;   // Integrated
    case 19: return 38;   // L2CacheSize
    case 56: return 1;    // MaxThreadsPerBlock
    case 57: return 39;   // MaxThreadsPerMultiprocessor
    case 59: return 37;   // MemoryBusWidth
    case 60: return 36;   // MemoryClockRate
    case 63: return 16;   // MultiprocessorCount
    case 67: return 33;   // PciBusId
    case 68: return 34;   // PciDeviceId
    case 69: return 50;   // PciDomainId
    case 74: return 97;   // MaxSharedMemoryPerBlock: what a launch may ask for
    case 87: return 10;   // WarpSize
    case 88: return 115;  // MemoryPoolsSupported
    default: return 0;
  }
}

}  // namespace
}  // namespace hipcuda

using namespace hipcuda;

API int hipInit(unsigned flags) { return done(flags ? InvalidValue : start()); }
API int hipDriverGetVersion(int *version) { return done(CUDA(cuDriverGetVersion, version)); }
API int hipRuntimeGetVersion(int *version) { *version = 60400000; return Success; }
API int hipGetDeviceCount(int *count) {
  *count = 0;
  if (int failed = start()) return done(failed);
  return done(CUDA(cuDeviceGetCount, count));
}
API int hipSetDevice(int device) {
  int count = 0;
  if (int failed = hipGetDeviceCount(&count)) return failed;
  if (device < 0 || device >= count) return done(InvalidDevice);
  current_device = device;
  return done(enter());
}
API int hipGetDevice(int *device) { *device = current_device; return Success; }
API int hipDeviceSynchronize() { WITH_DEVICE(((int (*)())find("cuCtxSynchronize"))()); }
API int hipDeviceGetName(char *name, int capacity, int device) { return done(CUDA(cuDeviceGetName, name, capacity, device)); }
API int hipDeviceTotalMem(size_t *bytes, int device) { return done(CUDA(cuDeviceTotalMem_v2, bytes, device)); }
API int hipDeviceGetAttribute(int *value, int which, int device) {
  int known = attribute_of(which);
  return done(known ? CUDA(cuDeviceGetAttribute, value, known, device) : InvalidValue);
}
// Only the architecture is read from the structure. It has no gfx number: gfx000, and the real one as its feature.
API int hipGetDevicePropertiesR0600(char *properties, int device) {
  int major = 0, minor = 0;
  if (int failed = CUDA(cuDeviceGetAttribute, &major, 75, device)) return done(failed);
  if (int failed = CUDA(cuDeviceGetAttribute, &minor, 76, device)) return done(failed);
  memset(properties, 0, 1472);
  snprintf(properties + 1160, 256, "gfx000:sm_%d%d", major, minor);
  return Success;
}
API int hipGetLastError() { int code = last_error; last_error = 0; return code; }
API int hipPeekAtLastError() { return last_error; }
API const char *hipGetErrorName(int code) {
  const char *text = nullptr;
  return CUDA(cuGetErrorName, code, &text) == Success && text ? text : "hipErrorUnknown";
}
API const char *hipGetErrorString(int code) {
  const char *text = nullptr;
  return CUDA(cuGetErrorString, code, &text) == Success && text ? text : "unknown error";
}
