// Memory, copies, pools. Device addresses are CUDA's, 64 bits wide.
#include "driver.h"

using namespace hipcuda;
typedef unsigned long long Address;

API int hipMalloc(void **pointer, size_t bytes) { WITH_DEVICE(CUDA(cuMemAlloc_v2, (Address *)pointer, bytes)); }
API int hipFree(void *pointer) { WITH_DEVICE(CUDA(cuMemFree_v2, (Address)pointer)); }
API int hipHostMalloc(void **pointer, size_t bytes, unsigned flags) { WITH_DEVICE(CUDA(cuMemHostAlloc, pointer, bytes, flags)); }
API int hipHostFree(void *pointer) { WITH_DEVICE(CUDA(cuMemFreeHost, pointer)); }
API int hipMemGetInfo(size_t *free, size_t *total) { WITH_DEVICE(CUDA(cuMemGetInfo_v2, free, total)); }
// The kind follows from the addresses.
API int hipMemcpyAsync(void *to, const void *from, size_t bytes, int, void *stream) { WITH_DEVICE(CUDA(cuMemcpyAsync, (Address)to, (Address)from, bytes, stream)); }
API int hipMemcpy(void *to, const void *from, size_t bytes, int) { WITH_DEVICE(CUDA(cuMemcpy, (Address)to, (Address)from, bytes)); }
API int hipMemsetAsync(void *to, int value, size_t bytes, void *stream) { WITH_DEVICE(CUDA(cuMemsetD8Async, (Address)to, (unsigned char)value, bytes, stream)); }

// hipMemPoolProps is CUmemPoolProps field by field; the attributes have the same numbers.
API int hipMemPoolCreate(void **pool, const void *properties) { WITH_DEVICE(CUDA(cuMemPoolCreate, pool, properties)); }
API int hipMemPoolDestroy(void *pool) { WITH_DEVICE(CUDA(cuMemPoolDestroy, pool)); }
API int hipMemPoolSetAttribute(void *pool, int which, void *value) { WITH_DEVICE(CUDA(cuMemPoolSetAttribute, pool, which, value)); }
API int hipMemPoolGetAttribute(void *pool, int which, void *value) { WITH_DEVICE(CUDA(cuMemPoolGetAttribute, pool, which, value)); }
API int hipMemPoolTrimTo(void *pool, size_t bytes) { WITH_DEVICE(CUDA(cuMemPoolTrimTo, pool, bytes)); }
API int hipMallocFromPoolAsync(void **pointer, size_t bytes, void *pool, void *stream) { WITH_DEVICE(CUDA(cuMemAllocFromPoolAsync, (Address *)pointer, bytes, pool, stream)); }
API int hipFreeAsync(void *pointer, void *stream) { WITH_DEVICE(CUDA(cuMemFreeAsync, (Address)pointer, stream)); }
