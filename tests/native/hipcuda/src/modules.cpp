// Modules and launches.
//
// CUDA gives a kernel 48 KiB of declared shared memory, HIP 64. A larger variable is therefore declared without its size in the PTX before it is loaded, and the
// size is asked for at the launch, where CUDA allows more.
#include "driver.h"

#include <cstdlib>
#include <mutex>
#include <string>
#include <unordered_map>

namespace hipcuda {
namespace {

constexpr unsigned declared_limit = 48 << 10;
constexpr int dynamic_shared_size = 8;  // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES

std::mutex lock;
std::unordered_map<void *, unsigned> bytes_of_module, bytes_of_function;

// Replaces the declaration ".shared .align A .b8 NAME[SIZE];" of the one variable that is too large by one without a size, which has to stand outside of functions. Returns the size.
unsigned undeclare(std::string &ptx) {
  const std::string declaration = ".shared .align ";
  for (size_t at = ptx.find(declaration); at != std::string::npos; at = ptx.find(declaration, at + 1)) {
    size_t end = ptx.find(';', at), size = ptx.find('[', at);
    if (end == std::string::npos || size == std::string::npos || size > end) continue;
    unsigned long bytes = strtoul(ptx.c_str() + size + 1, nullptr, 10);
    if (bytes <= declared_limit) continue;
    std::string sizeless = "\n.extern " + ptx.substr(at, size - at) + "[];\n";
    ptx.erase(at, end + 1 - at);
    size_t header = ptx.find(".address_size"), line = ptx.find('\n', header == std::string::npos ? 0 : header);
    ptx.insert(line, sizeless);
    return (unsigned)bytes;
  }
  return 0;
}

}  // namespace
}  // namespace hipcuda

using namespace hipcuda;

// The image is PTX, which ends with a zero byte: hiprtc.cpp counts it in.
API int hipModuleLoadData(void **module, const void *image) {
  if (int failed = enter()) return done(failed);
  std::string ptx((const char *)image);
  unsigned bytes = undeclare(ptx);
  int code = CUDA(cuModuleLoadData, module, (const void *)ptx.c_str());
  std::lock_guard hold(lock);
  if (code == Success && bytes) bytes_of_module[*module] = bytes;
  return done(code);
}
API int hipModuleUnload(void *module) {
  {
    std::lock_guard hold(lock);
    bytes_of_module.erase(module);
  }
  WITH_DEVICE(CUDA(cuModuleUnload, module));
}
API int hipModuleGetFunction(void **function, void *module, const char *name) {
  if (int failed = enter()) return done(failed);
  int code = CUDA(cuModuleGetFunction, function, module, name);
  std::lock_guard hold(lock);
  auto entry = bytes_of_module.find(module);
  if (code == Success && entry != bytes_of_module.end()) bytes_of_function[*function] = entry->second;
  else if (code == Success) bytes_of_function.erase(*function);
  return done(code);
}
API int hipFuncGetAttribute(int *value, int which, void *function) { WITH_DEVICE(CUDA(cuFuncGetAttribute, value, which, function)); }
API int hipModuleOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, void *function, int threads, size_t shared) {
  WITH_DEVICE(CUDA(cuOccupancyMaxActiveBlocksPerMultiprocessor, blocks, function, threads, shared));
}
API int hipModuleLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void *stream, void **parameters,
                              void **extra) {
  if (int failed = enter()) return done(failed);
  {
    std::lock_guard hold(lock);
    auto entry = bytes_of_function.find(function);
    if (entry != bytes_of_function.end()) shared += entry->second;
  }
  if (shared > declared_limit)
    if (int failed = CUDA(cuFuncSetAttribute, function, dynamic_shared_size, (int)shared)) return done(failed);
  // The lists differ in their last key.
  void *buffer[5] = {};
  if (extra) {
    for (int i = 0; extra[i] != (void *)3 && i < 4; i += 2) {
      buffer[i] = extra[i];
      buffer[i + 1] = extra[i + 1];
    }
  }
  return done(CUDA(cuLaunchKernel, function, gx, gy, gz, bx, by, bz, shared, stream, parameters, extra ? (void **)buffer : (void **)nullptr));
}
