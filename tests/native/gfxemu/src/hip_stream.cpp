#include "hip_runtime.h"

using namespace gfxemu;

namespace {

int create_stream(Runtime &rt, void **out, u32 flags, int priority) {
  if (!out) return InvalidValue;
  auto *s = new Stream;
  s->flags = flags;
  s->priority = priority;
  rt.streams.insert(s);
  *out = s;
  return Success;
}
Event *event(Runtime &rt, void *handle) { return rt.events.count((Event *)handle) ? (Event *)handle : nullptr; }
int create_event(Runtime &rt, void **out, u32 flags) {
  if (!out) return InvalidValue;
  auto *e = new Event;
  e->flags = flags;
  rt.events.insert(e);
  *out = e;
  return Success;
}

}  // namespace

GFXEMU_API int hipStreamCreate(void **s) { GFXEMU_CALL; return rt.done(create_stream(rt, s, 0, 0)); }
GFXEMU_API int hipStreamCreateWithFlags(void **s, unsigned flags) { GFXEMU_CALL; return rt.done(create_stream(rt, s, flags, 0)); }
GFXEMU_API int hipStreamCreateWithPriority(void **s, unsigned flags, int priority) { GFXEMU_CALL; return rt.done(create_stream(rt, s, flags, priority)); }
GFXEMU_API int hipStreamDestroy(void *handle) {
  GFXEMU_CALL;
  auto it = rt.streams.find((Stream *)handle);
  if (it == rt.streams.end()) return rt.done(InvalidHandle);
  if ((*it)->capture && (*it)->origin && (*it)->mode == 0) rt.global_captures--;
  rt.drain(**it);
  delete *it;
  rt.streams.erase(it);
  return 0;
}
GFXEMU_API int hipStreamSynchronize(void *s) { GFXEMU_CALL; return rt.done(rt.wait(s, false)); }
// Who asks again and again gets on by a piece of work each time.
GFXEMU_API int hipStreamQuery(void *handle) {
  GFXEMU_CALL;
  Stream *s = rt.stream(handle);
  if (s && !s->capture && !s->queue.empty()) rt.drain_one(*s);
  return rt.done(s && !s->capture && !s->queue.empty() ? (int)NotReady : rt.wait(handle, false));
}
GFXEMU_API int hipStreamWaitEvent(void *handle, void *e, unsigned) {
  GFXEMU_CALL;
  Stream *s = rt.stream(handle);
  Event *v = event(rt, e);
  if (!s || !v) return rt.done(InvalidHandle);
  // Waiting for work of a captured stream makes this one part of the capture.
  if (v->capture && !s->capture) { s->capture = v->capture; s->origin = false; s->invalidated = false; }
  if (s->capture || !v->moment || v->moment->done) return 0;
  Node n{Node::Wait};
  n.moment = v->moment;
  return rt.done(rt.enqueue(*s, n));
}
GFXEMU_API int hipLaunchHostFunc(void *s, void (*f)(void *), void *user) {
  GFXEMU_CALL;
  Node n{Node::Host};
  n.callback = f;
  n.user = user;
  return rt.done(f ? rt.submit(s, n) : (int)InvalidValue);
}

GFXEMU_API int hipEventCreate(void **e) { GFXEMU_CALL; return rt.done(create_event(rt, e, 0)); }
GFXEMU_API int hipEventCreateWithFlags(void **e, unsigned flags) { GFXEMU_CALL; return rt.done(create_event(rt, e, flags)); }
GFXEMU_API int hipEventDestroy(void *handle) {
  GFXEMU_CALL;
  Event *e = event(rt, handle);
  if (!e) return rt.done(InvalidHandle);
  rt.events.erase(e);
  delete e;
  return 0;
}
GFXEMU_API int hipEventRecord(void *handle, void *stream) {
  GFXEMU_CALL;
  Event *e = event(rt, handle);
  Stream *s = rt.stream(stream);
  if (!e || !s) return rt.done(InvalidHandle);
  e->capture = s->capture;
  if (s->capture) return 0;
  Node n{Node::Record};
  n.moment = e->moment = std::make_shared<Moment>(Moment{s});
  return rt.done(rt.enqueue(*s, n));
}
GFXEMU_API int hipEventSynchronize(void *handle) {
  GFXEMU_CALL;
  Event *e = event(rt, handle);
  if (!e) return rt.done(InvalidHandle);
  if (e->capture && rt.capturing_globally()) return rt.done(CaptureUnsupported);
  if (e->moment && !e->moment->done) rt.drain(*e->moment->stream, e->moment.get());
  return rt.done(rt.sticky);
}
GFXEMU_API int hipEventQuery(void *handle) {
  GFXEMU_CALL;
  Event *e = event(rt, handle);
  if (!e) return rt.done(InvalidHandle);
  if (e->capture && rt.capturing_globally()) return rt.done(CaptureUnsupported);
  if (e->moment && !e->moment->done) rt.drain_one(*e->moment->stream);
  return rt.done(e->moment && !e->moment->done ? (int)NotReady : rt.sticky);
}
GFXEMU_API int hipEventElapsedTime(float *ms, void *start, void *stop) {
  GFXEMU_CALL;
  Event *a = event(rt, start), *b = event(rt, stop);
  constexpr u32 DisableTiming = 2;
  if (!ms) return rt.done(InvalidValue);
  if (!a || !b || !a->moment || !b->moment || (a->flags | b->flags) & DisableTiming) return rt.done(InvalidHandle);
  if (!a->moment->done || !b->moment->done) return rt.done(NotReady);
  *ms = (float)(b->moment->at - a->moment->at);
  return 0;
}
