// When work runs: by the call that gives it, or with the option "lazy" not before somebody waits for it, so that what relies on work being done meanwhile is seen.
#include "hip_runtime.h"

namespace gfxemu {

int Runtime::enqueue(Stream &s, Node n) {
  if (sticky) return sticky;
  if (int e = check(n)) return e;
  if (lazy && &s != &null_stream && !is_synchronous(n)) {
    s.copies_waiting += n.kind == Node::Copy;
    counters.most_copies_waiting = std::max(counters.most_copies_waiting, s.copies_waiting);
    s.queue.push_back(std::move(n));
    return Success;
  }
  drain(s);
  return sticky ? sticky : execute(n);
}

// Memory that is not pinned is copied before the call returns.
bool Runtime::is_synchronous(const Node &n) const {
  return (n.kind == Node::Copy || n.kind == Node::Copy2D) && n.bytes && (!memory->find((u64)n.to).bytes || !memory->find((u64)n.from).bytes);
}

// The null stream waits for all streams that do not ask to be apart from it.
void Runtime::drain(Stream &s, const Moment *until) {
  if (&s == &null_stream)
    for (Stream *other : streams)
      if (other->blocking()) drain(*other);
  while (!s.queue.empty() && !(until && until->done)) drain_one(s);
}

void Runtime::drain_one(Stream &s) {
  Node n = std::move(s.queue.front());
  s.queue.pop_front();
  s.copies_waiting -= n.kind == Node::Copy;
  if (sticky && n.kind != Node::Record) return;
  // What a call checked may be gone by the time that it runs.
  if (int e = execute(n); e && !sticky) sticky = e == InvalidValue ? IllegalAddress : e;
}

void Runtime::drain_all() {
  for (Stream *s : streams) drain(*s);
}

int Runtime::execute(const Node &n) {
  switch (n.kind) {
    case Node::Launch: return launch(n);
    case Node::Copy: return copy(n.to, n.from, n.bytes);
    case Node::Set: return set(n);
    case Node::Host: n.callback(n.user); return Success;
    case Node::Copy2D:
      for (u64 r = 0; r < n.rows; r++)
        if (int e = copy((char *)n.to + r * n.to_pitch, (const char *)n.from + r * n.from_pitch, n.bytes)) return e;
      return Success;
    case Node::Free: return memory->release((u64)n.to) ? Success : InvalidValue;
    case Node::Record:
      n.moment->done = true;
      n.moment->at = now_ms();
      return Success;
    case Node::Wait:
      if (!n.moment->done) drain(*n.moment->stream, n.moment.get());
      return Success;
  }
  return Unknown;
}

// What a call finds wrong at once.
int Runtime::check(const Node &n) {
  if (n.kind == Node::Copy && n.bytes) {
    if (!n.to || !n.from) return InvalidValue;
    if (memory->contains(n.to, n.bytes) && memory->contains(n.from, n.bytes)) return Success;
    last_fault = format("copy of %llu bytes from %p to %p leaves its allocation", (unsigned long long)n.bytes, n.from, n.to);
  } else if (n.kind == Node::Set && n.bytes) {
    if (n.to && memory->contains(n.to, n.bytes * n.width)) return Success;
    last_fault = format("memset of %llu bytes at %p leaves its allocation", (unsigned long long)(n.bytes * n.width), n.to);
  } else return Success;
  say(last_fault);
  return InvalidValue;
}

int Runtime::copy(void *to, const void *from, u64 bytes) {
  Node n{Node::Copy};
  n.to = to;
  n.from = from;
  n.bytes = bytes;
  if (int e = check(n)) return e;
  if (bytes) memmove(to, from, bytes);
  return Success;
}

int Runtime::set(const Node &n) {
  if (int e = check(n)) return e;
  if (!n.bytes) return Success;
  if (n.width == 1) memory->fill((u64)n.to, n.bytes, (u8)n.value);
  else if (n.width == 2) std::fill_n((u16 *)n.to, n.bytes, (u16)n.value);
  else std::fill_n((u32 *)n.to, n.bytes, n.value);
  return Success;
}

}  // namespace gfxemu
