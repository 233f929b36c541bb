#include "hip_runtime.h"

using namespace gfxemu;

namespace {

int allocate(Runtime &rt, void **p, size_t bytes, MemoryKind kind, bool in_stream, void *stream) {
  if (!p) return InvalidValue;
  *p = nullptr;
  if (in_stream) {
    Stream *s = rt.stream(stream);
    if (!s) return InvalidHandle;
    if (s->capture) return CaptureUnsupported;
  } else if (rt.capturing_globally()) return CaptureUnsupported;
  if (rt.sticky) return rt.sticky;
  if (!bytes) return Success;
  *p = (void *)rt.memory->allocate(bytes, kind);
  if (!*p) {
    // What waits to be freed makes room.
    rt.drain_all();
    *p = (void *)rt.memory->allocate(bytes, kind);
  }
  return *p ? Success : OutOfMemory;
}
bool is_allocation(Runtime &rt, void *p, MemoryKind kind) {
  Allocation a = rt.memory->find((u64)p);
  return a.address == (u64)p && a.bytes && a.kind == kind;
}
// After all work, as the calls that come here wait for it.
int release(Runtime &rt, void *p, MemoryKind kind) {
  if (!p) return Success;
  rt.drain_all();
  return is_allocation(rt, p, kind) && rt.memory->release((u64)p) ? Success : InvalidValue;
}
int release_in_stream(Runtime &rt, void *p, void *stream) {
  Stream *s = rt.stream(stream);
  if (!s) return InvalidHandle;
  if (s->capture) return CaptureUnsupported;
  if (!p) return Success;
  if (!is_allocation(rt, p, MemoryKind::Device)) return InvalidValue;
  if (rt.sticky) return release(rt, p, MemoryKind::Device);
  Node n{Node::Free};
  n.to = p;
  return rt.enqueue(*s, n);
}
Node copy_node(void *to, const void *from, size_t bytes) { Node n{Node::Copy}; n.to = to; n.from = from; n.bytes = bytes; return n; }
Node set_node(void *to, u32 value, u32 width, size_t count) { Node n{Node::Set}; n.to = to; n.value = value; n.width = width; n.bytes = count; return n; }

}  // namespace

GFXEMU_API int hipMalloc(void **p, size_t n) { GFXEMU_CALL; return rt.done(allocate(rt, p, n, MemoryKind::Device, false, nullptr)); }
GFXEMU_API int hipExtMallocWithFlags(void **p, size_t n, unsigned) { GFXEMU_CALL; return rt.done(allocate(rt, p, n, MemoryKind::Device, false, nullptr)); }
GFXEMU_API int hipMallocManaged(void **p, size_t n, unsigned) { GFXEMU_CALL; return rt.done(allocate(rt, p, n, MemoryKind::Device, false, nullptr)); }
GFXEMU_API int hipMallocAsync(void **p, size_t n, void *stream) { GFXEMU_CALL; return rt.done(allocate(rt, p, n, MemoryKind::Device, true, stream)); }
GFXEMU_API int hipMallocFromPoolAsync(void **p, size_t n, void *, void *stream) { GFXEMU_CALL; return rt.done(allocate(rt, p, n, MemoryKind::Device, true, stream)); }
GFXEMU_API int hipHostMalloc(void **p, size_t n, unsigned) { GFXEMU_CALL; return rt.done(allocate(rt, p, n, MemoryKind::Pinned, false, nullptr)); }
GFXEMU_API int hipHostAlloc(void **p, size_t n, unsigned) { GFXEMU_CALL; return rt.done(allocate(rt, p, n, MemoryKind::Pinned, false, nullptr)); }
GFXEMU_API int hipFree(void *p) { GFXEMU_CALL; return rt.done(release(rt, p, MemoryKind::Device)); }
GFXEMU_API int hipFreeAsync(void *p, void *stream) { GFXEMU_CALL; return rt.done(release_in_stream(rt, p, stream)); }
GFXEMU_API int hipHostFree(void *p) { GFXEMU_CALL; return rt.done(release(rt, p, MemoryKind::Pinned)); }
GFXEMU_API int hipHostRegister(void *p, size_t n, unsigned) { GFXEMU_CALL; return rt.done(p && rt.memory->adopt((u64)p, n) ? Success : InvalidValue); }
GFXEMU_API int hipHostUnregister(void *p) { GFXEMU_CALL; return rt.done(release(rt, p, MemoryKind::Pinned)); }
GFXEMU_API int hipHostGetDevicePointer(void **device, void *host, unsigned) { GFXEMU_CALL; *device = host; return 0; }
GFXEMU_API int hipMemGetInfo(size_t *left, size_t *total) {
  GFXEMU_CALL;
  u64 all = rt.memory->capacity(), used = rt.memory->used();
  if (total) *total = all;
  if (left) *left = all > used ? all - used : 0;
  return 0;
}
GFXEMU_API int hipMemGetAddressRange(void **base, size_t *bytes, void *p) {
  GFXEMU_CALL;
  Allocation a = rt.memory->find((u64)p);
  if (!a.bytes) return rt.done(NotFound);
  if (base) *base = (void *)a.address;
  if (bytes) *bytes = a.bytes;
  return 0;
}

struct PointerAttributes { int type, device; void *on_device, *on_host; int managed; unsigned flags; };
GFXEMU_API int hipPointerGetAttributes(PointerAttributes *a, const void *p) {
  GFXEMU_CALL;
  Allocation found = rt.memory->find((u64)p);
  *a = {};
  if (!found.bytes) return rt.done(InvalidValue);
  bool pinned = found.kind == MemoryKind::Pinned;
  *a = {pinned ? 1 : 2, current_device, (void *)p, pinned ? (void *)p : nullptr, 0, 0};
  return 0;
}

// Nothing of a program's own memory is mapped; copies from and to it work as they are.
GFXEMU_API int hipMemcpy(void *to, const void *from, size_t n, int) { GFXEMU_CALL; return rt.done(rt.submit(nullptr, copy_node(to, from, n))); }
GFXEMU_API int hipMemcpyAsync(void *to, const void *from, size_t n, int, void *stream) { GFXEMU_CALL; return rt.done(rt.submit(stream, copy_node(to, from, n))); }
GFXEMU_API int hipMemcpyWithStream(void *to, const void *from, size_t n, int, void *stream) { GFXEMU_CALL; return rt.done(rt.submit(stream, copy_node(to, from, n))); }
GFXEMU_API int hipMemcpyHtoD(void *to, const void *from, size_t n) { GFXEMU_CALL; return rt.done(rt.submit(nullptr, copy_node(to, from, n))); }
GFXEMU_API int hipMemcpyDtoH(void *to, void *from, size_t n) { GFXEMU_CALL; return rt.done(rt.submit(nullptr, copy_node(to, from, n))); }
GFXEMU_API int hipMemcpyDtoD(void *to, void *from, size_t n) { GFXEMU_CALL; return rt.done(rt.submit(nullptr, copy_node(to, from, n))); }
GFXEMU_API int hipMemcpyHtoDAsync(void *to, const void *from, size_t n, void *stream) { GFXEMU_CALL; return rt.done(rt.submit(stream, copy_node(to, from, n))); }
GFXEMU_API int hipMemcpyDtoHAsync(void *to, void *from, size_t n, void *stream) { GFXEMU_CALL; return rt.done(rt.submit(stream, copy_node(to, from, n))); }
GFXEMU_API int hipMemcpyDtoDAsync(void *to, void *from, size_t n, void *stream) { GFXEMU_CALL; return rt.done(rt.submit(stream, copy_node(to, from, n))); }
GFXEMU_API int hipMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width, size_t rows, int, void *stream) {
  GFXEMU_CALL;
  Node n = copy_node(to, from, width);
  n.kind = Node::Copy2D;
  n.to_pitch = to_pitch;
  n.from_pitch = from_pitch;
  n.rows = rows;
  return rt.done(rt.submit(stream, n));
}
GFXEMU_API int hipMemset(void *to, int value, size_t n) { GFXEMU_CALL; return rt.done(rt.submit(nullptr, set_node(to, (u32)value & 255, 1, n))); }
GFXEMU_API int hipMemsetAsync(void *to, int value, size_t n, void *stream) { GFXEMU_CALL; return rt.done(rt.submit(stream, set_node(to, (u32)value & 255, 1, n))); }
GFXEMU_API int hipMemsetD8Async(void *to, u8 value, size_t n, void *stream) { GFXEMU_CALL; return rt.done(rt.submit(stream, set_node(to, value, 1, n))); }
GFXEMU_API int hipMemsetD16Async(void *to, u16 value, size_t n, void *stream) { GFXEMU_CALL; return rt.done(rt.submit(stream, set_node(to, value, 2, n))); }
GFXEMU_API int hipMemsetD32(void *to, int value, size_t n) { GFXEMU_CALL; return rt.done(rt.submit(nullptr, set_node(to, (u32)value, 4, n))); }
GFXEMU_API int hipMemsetD32Async(void *to, int value, size_t n, void *stream) { GFXEMU_CALL; return rt.done(rt.submit(stream, set_node(to, (u32)value, 4, n))); }

// One pool, which keeps nothing.
static int the_pool;
GFXEMU_API int hipDeviceGetDefaultMemPool(void **pool, int) { GFXEMU_CALL; if (!pool) return rt.done(InvalidValue); *pool = &the_pool; return 0; }
GFXEMU_API int hipDeviceGetMemPool(void **pool, int) { GFXEMU_CALL; if (!pool) return rt.done(InvalidValue); *pool = &the_pool; return 0; }
GFXEMU_API int hipDeviceSetMemPool(int, void *pool) { GFXEMU_CALL; return rt.done(pool ? Success : InvalidValue); }
GFXEMU_API int hipMemPoolCreate(void **pool, const void *) { GFXEMU_CALL; if (!pool) return rt.done(InvalidValue); *pool = new int(0); return 0; }
GFXEMU_API int hipMemPoolDestroy(void *pool) { GFXEMU_CALL; if (!pool || pool == &the_pool) return rt.done(InvalidValue); delete (int *)pool; return 0; }
GFXEMU_API int hipMemPoolTrimTo(void *, size_t) { GFXEMU_CALL; return 0; }
GFXEMU_API int hipMemPoolSetAttribute(void *, int, void *) { GFXEMU_CALL; return 0; }
GFXEMU_API int hipMemPoolGetAttribute(void *, int which, void *value) {
  GFXEMU_CALL;
  // 1..3 are switches, 4 the release threshold, 5..8 bytes reserved and used.
  if (which < 4) *(int *)value = 1;
  else *(u64 *)value = which == 4 ? 0 : rt.memory->used();
  return 0;
}
