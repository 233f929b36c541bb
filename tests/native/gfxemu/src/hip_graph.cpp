#include "hip_runtime.h"

using namespace gfxemu;

namespace {

int instantiate(Runtime &rt, void **out, void *graph) {
  if (!out || !rt.graphs.count((Graph *)graph)) return InvalidValue;
  auto *x = new Graph(*(Graph *)graph);
  rt.executables.insert(x);
  *out = x;
  return Success;
}
bool same_shape(const Graph &a, const Graph &b) {
  if (a.nodes.size() != b.nodes.size()) return false;
  for (size_t k = 0; k < a.nodes.size(); k++)
    if (a.nodes[k].kind != b.nodes[k].kind) return false;
  return true;
}

}  // namespace

GFXEMU_API int hipStreamBeginCapture(void *handle, int mode) {
  GFXEMU_CALL;
  Stream *s = rt.stream(handle);
  if (!s) return rt.done(InvalidHandle);
  if (s == &rt.null_stream || s->capture) return rt.done(CaptureUnsupported);
  s->capture = std::make_shared<Graph>();
  s->origin = true;
  s->invalidated = false;
  s->mode = mode;
  if (mode == 0) rt.global_captures++;
  return 0;
}
GFXEMU_API int hipStreamEndCapture(void *handle, void **graph) {
  // A capture ends even when its end fails: a scripted failure is answered after it.
  Runtime &rt = Runtime::instance();
  std::lock_guard hold(rt.lock);
  int failed = rt.enter(__func__);
  Stream *s = rt.stream(handle);
  if (graph) *graph = nullptr;
  if (!s) return rt.done(failed ? failed : InvalidHandle);
  if (!s->capture) return rt.done(failed ? failed : 401);
  if (!s->origin) return rt.done(failed ? failed : CaptureUnmatched);
  auto captured = s->capture;
  bool invalidated = false;
  for (Stream *t : rt.streams)
    if (t->capture == captured) { invalidated |= t->invalidated; t->capture.reset(); t->invalidated = false; }
  s->origin = false;
  if (s->mode == 0) rt.global_captures--;
  if (failed) return rt.done(failed);
  if (invalidated) return rt.done(CaptureInvalidated);
  if (graph) {
    auto *g = new Graph(*captured);
    rt.graphs.insert(g);
    *graph = g;
  }
  return 0;
}
GFXEMU_API int hipStreamIsCapturing(void *handle, int *status) {
  GFXEMU_CALL;
  Stream *s = rt.stream(handle);
  if (!s || !status) return rt.done(InvalidHandle);
  *status = !s->capture ? 0 : s->invalidated ? 2 : 1;
  return 0;
}
GFXEMU_API int hipStreamGetCaptureInfo(void *handle, int *status, unsigned long long *id) {
  GFXEMU_CALL;
  Stream *s = rt.stream(handle);
  if (!s || !status) return rt.done(InvalidHandle);
  *status = !s->capture ? 0 : s->invalidated ? 2 : 1;
  if (id) *id = (unsigned long long)s->capture.get();
  return 0;
}
GFXEMU_API int hipThreadExchangeStreamCaptureMode(int *mode) {
  GFXEMU_CALL;
  static thread_local int current = 0;
  if (!mode) return rt.done(InvalidValue);
  std::swap(*mode, current);
  return 0;
}

GFXEMU_API int hipGraphInstantiate(void **out, void *graph, void **, char *, size_t) { GFXEMU_CALL; return rt.done(instantiate(rt, out, graph)); }
GFXEMU_API int hipGraphInstantiateWithFlags(void **out, void *graph, unsigned long long) { GFXEMU_CALL; return rt.done(instantiate(rt, out, graph)); }
GFXEMU_API int hipGraphLaunch(void *handle, void *stream) {
  GFXEMU_CALL;
  Stream *s = rt.stream(stream);
  if (!rt.executables.count((Graph *)handle)) return rt.done(InvalidValue);
  if (!s) return rt.done(InvalidHandle);
  if (s->capture) return rt.done(CaptureUnsupported);
  if (rt.sticky) return rt.done(rt.sticky);
  for (auto &n : ((Graph *)handle)->nodes)
    if (int e = rt.enqueue(*s, n)) return rt.done(e);
  return 0;
}
GFXEMU_API int hipGraphUpload(void *handle, void *) { GFXEMU_CALL; return rt.done(rt.executables.count((Graph *)handle) ? Success : InvalidValue); }
GFXEMU_API int hipGraphExecUpdate(void *handle, void *graph, void **error_node, int *result) {
  GFXEMU_CALL;
  if (!rt.executables.count((Graph *)handle) || !rt.graphs.count((Graph *)graph)) return rt.done(InvalidValue);
  if (error_node) *error_node = nullptr;
  bool same = same_shape(*(Graph *)handle, *(Graph *)graph);
  if (result) *result = same ? 0 : 2;      // 2: the topology changed
  if (!same) return rt.done(GraphExecUpdateFailure);
  ((Graph *)handle)->nodes = ((Graph *)graph)->nodes;
  return 0;
}
GFXEMU_API int hipGraphDestroy(void *graph) {
  GFXEMU_CALL;
  if (!rt.graphs.erase((Graph *)graph)) return rt.done(InvalidValue);
  delete (Graph *)graph;
  return 0;
}
GFXEMU_API int hipGraphExecDestroy(void *handle) {
  GFXEMU_CALL;
  if (!rt.executables.erase((Graph *)handle)) return rt.done(InvalidValue);
  delete (Graph *)handle;
  return 0;
}
GFXEMU_API int hipGraphGetNodes(void *graph, void **nodes, size_t *count) {
  GFXEMU_CALL;
  if (!rt.graphs.count((Graph *)graph) || !count) return rt.done(InvalidValue);
  auto &all = ((Graph *)graph)->nodes;
  if (nodes) for (size_t k = 0; k < *count && k < all.size(); k++) nodes[k] = &all[k];
  *count = all.size();
  return 0;
}
