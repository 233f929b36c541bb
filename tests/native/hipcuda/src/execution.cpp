// Streams, events, graphs.
#include "driver.h"

using namespace hipcuda;

API int hipStreamCreateWithFlags(void **stream, unsigned flags) { WITH_DEVICE(CUDA(cuStreamCreate, stream, flags)); }
API int hipStreamDestroy(void *stream) { WITH_DEVICE(CUDA(cuStreamDestroy_v2, stream)); }
API int hipStreamSynchronize(void *stream) { WITH_DEVICE(CUDA(cuStreamSynchronize, stream)); }
API int hipStreamQuery(void *stream) { WITH_DEVICE(CUDA(cuStreamQuery, stream)); }
API int hipStreamWaitEvent(void *stream, void *event, unsigned flags) { WITH_DEVICE(CUDA(cuStreamWaitEvent, stream, event, flags)); }
API int hipStreamBeginCapture(void *stream, int mode) { WITH_DEVICE(CUDA(cuStreamBeginCapture_v2, stream, mode)); }
API int hipStreamEndCapture(void *stream, void **graph) { WITH_DEVICE(CUDA(cuStreamEndCapture, stream, graph)); }

API int hipEventCreateWithFlags(void **event, unsigned flags) { WITH_DEVICE(CUDA(cuEventCreate, event, flags)); }
API int hipEventDestroy(void *event) { WITH_DEVICE(CUDA(cuEventDestroy_v2, event)); }
API int hipEventRecord(void *event, void *stream) { WITH_DEVICE(CUDA(cuEventRecord, event, stream)); }
API int hipEventSynchronize(void *event) { WITH_DEVICE(CUDA(cuEventSynchronize, event)); }
API int hipEventQuery(void *event) { WITH_DEVICE(CUDA(cuEventQuery, event)); }
API int hipEventElapsedTime(float *milliseconds, void *start, void *stop) { WITH_DEVICE(CUDA(cuEventElapsedTime, milliseconds, start, stop)); }

API int hipGraphDestroy(void *graph) { WITH_DEVICE(CUDA(cuGraphDestroy, graph)); }
API int hipGraphGetNodes(void *graph, void **nodes, size_t *count) { WITH_DEVICE(CUDA(cuGraphGetNodes, graph, nodes, count)); }
API int hipGraphInstantiate(void **executable, void *graph, void **, char *, size_t) { WITH_DEVICE(CUDA(cuGraphInstantiateWithFlags, executable, graph, 0ull)); }
API int hipGraphExecUpdate(void *executable, void *graph, void **node, int *result) {
  struct { int result; void *node, *from; } info = {};
  if (int failed = enter()) return done(failed);
  int code = CUDA(cuGraphExecUpdate_v2, executable, graph, (void *)&info);
  if (node) *node = info.node;
  if (result) *result = info.result;
  return done(code);
}
API int hipGraphLaunch(void *executable, void *stream) { WITH_DEVICE(CUDA(cuGraphLaunch, executable, stream)); }
API int hipGraphExecDestroy(void *executable) { WITH_DEVICE(CUDA(cuGraphExecDestroy, executable)); }
