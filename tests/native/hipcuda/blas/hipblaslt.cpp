// hipBLASLt over cuBLASLt, which is found at run time: as much of it as the library calls. Enumerations differ, handles do not.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <dlfcn.h>
#include <mutex>

namespace {

enum Status { Success = 0, NotInitialized = 1, InvalidValue = 3, NotSupported = 7 };

struct CudaAlgorithm { uint64_t data[8]; };
struct CudaHeuristic { CudaAlgorithm algorithm; size_t workspace; int state; float waves; int reserved[4]; };
struct HipAlgorithm { uint64_t data[2]; size_t workspace; };
struct HipHeuristic { HipAlgorithm algorithm; size_t workspace; int state; float waves; int reserved[4]; };

// HIP's algorithm has no room for CUDA's: it holds the index of one that is kept here.
std::mutex lock;
std::deque<CudaAlgorithm> algorithms;

void *find(const char *name) {
  static void *library = [] {
    for (const char *file : {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"})
      if (void *opened = dlopen(file, RTLD_NOW)) return opened;
    return (void *)nullptr;
  }();
  return library ? dlsym(library, name) : nullptr;
}

template <class... Args> int call(const char *name, Args... args) {
  auto *function = (int (*)(Args...))find(name);
  return function ? function(args...) : NotInitialized;
}

}  // namespace

#define API extern "C" __attribute__((visibility("default")))

API int hipblasLtCreate(void **handle) { return call("cublasLtCreate", handle); }
API int hipblasLtDestroy(void *handle) { return call("cublasLtDestroy", handle); }
API int hipblasLtGetVersion(void *, int *version) { *version = 1000; return Success; }
API int hipblasLtMatmulDescCreate(void **descriptor, int compute, int scale) {
  return compute == 2 ? call("cublasLtMatmulDescCreate", descriptor, 68, scale) : NotSupported;  // fp32
}
API int hipblasLtMatmulDescDestroy(void *descriptor) { return call("cublasLtMatmulDescDestroy", descriptor); }
API int hipblasLtMatmulDescSetAttribute(void *descriptor, int attribute, const int *value, size_t bytes) {
  if (attribute > 1 || bytes != sizeof(int) || *value < 111 || *value > 112) return InvalidValue;
  int operation = *value - 111;  // plain, transposed
  return call("cublasLtMatmulDescSetAttribute", descriptor, attribute + 3, (const void *)&operation, sizeof operation);
}
API int hipblasLtMatrixLayoutCreate(void **layout, int type, uint64_t rows, uint64_t columns, int64_t leading) {
  return call("cublasLtMatrixLayoutCreate", layout, type, rows, columns, leading);
}
API int hipblasLtMatrixLayoutDestroy(void *layout) { return call("cublasLtMatrixLayoutDestroy", layout); }
API int hipblasLtMatmulPreferenceCreate(void **preference) { return call("cublasLtMatmulPreferenceCreate", preference); }
API int hipblasLtMatmulPreferenceDestroy(void *preference) { return call("cublasLtMatmulPreferenceDestroy", preference); }
API int hipblasLtMatmulPreferenceSetAttribute(void *preference, int attribute, const void *value, size_t bytes) {
  return call("cublasLtMatmulPreferenceSetAttribute", preference, attribute, value, bytes);
}
API int hipblasLtMatmulAlgoGetHeuristic(void *handle, void *descriptor, void *a, void *b, void *c, void *d, void *preference, int, HipHeuristic *result, int *found) {
  CudaHeuristic best = {};
  if (int failed = call("cublasLtMatmulAlgoGetHeuristic", handle, descriptor, a, b, c, d, preference, 1, &best, found)) return failed;
  std::lock_guard hold(lock);
  algorithms.push_back(best.algorithm);
  *result = {{{algorithms.size() - 1, 0}, best.workspace}, best.workspace, best.state, best.waves, {}};
  return Success;
}
API int hipblasLtMatmul(void *handle, void *descriptor, const void *alpha, const void *a, void *aLayout, const void *b, void *bLayout, const void *beta, const void *c,
                        void *cLayout, void *d, void *dLayout, const HipAlgorithm *algorithm, void *workspace, size_t bytes, void *stream) {
  const CudaAlgorithm *kept;
  {
    std::lock_guard hold(lock);
    if (algorithm->data[0] >= algorithms.size()) return InvalidValue;
    kept = &algorithms[algorithm->data[0]];  // a deque leaves its elements where they are
  }
  return call("cublasLtMatmul", handle, descriptor, alpha, a, aLayout, b, bLayout, beta, c, cLayout, d, dLayout, (const void *)kept, workspace, bytes, stream);
}
