// What the HIP functions share: the device, streams, graphs, errors and the script of failures.
#pragma once
#include "code_object.h"
#include "launch.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace gfxemu {

enum HipCode {
  Success = 0, InvalidValue = 1, OutOfMemory = 2, NotInitialized = 3, InvalidConfiguration = 9, InvalidSymbol = 13, NoDevice = 100, InvalidDevice = 101,
  InvalidImage = 200, FileNotFound = 301, InvalidHandle = 400, NotFound = 500, NotReady = 600, IllegalAddress = 700, LaunchOutOfResources = 701,
  LaunchTimeOut = 702, LaunchFailure = 719, NotSupported = 801, CaptureUnsupported = 900, CaptureInvalidated = 901, CaptureUnmatched = 903, CaptureImplicit = 906,
  GraphExecUpdateFailure = 910, Unknown = 999,
};

struct Module {
  std::unique_ptr<CodeObject> code;
  std::map<std::string, struct Function *> functions;
};
struct Function {
  const Kernel *kernel;
  Module *module;
};

// The point of a stream that an event was recorded at.
struct Moment {
  struct Stream *stream;
  bool done = false;
  double at = 0;
};

// One piece of work; kernels keep a copy of their arguments.
struct Node {
  enum Kind { Launch, Copy, Set, Host, Copy2D, Free, Record, Wait } kind;
  explicit Node(Kind k) : kind(k) {}
  const Function *function = nullptr;
  Size3 grid, block;
  u32 dynamic_lds = 0;
  std::vector<u8> arguments;
  void *to = nullptr;
  const void *from = nullptr;
  u64 bytes = 0, to_pitch = 0, from_pitch = 0, rows = 0;
  u32 value = 0, width = 0;
  void (*callback)(void *) = nullptr;
  void *user = nullptr;
  std::shared_ptr<Moment> moment;
};
struct Graph { std::vector<Node> nodes; };

struct Stream {
  u32 flags = 0;
  int priority = 0;
  std::shared_ptr<Graph> capture;
  bool origin = false, invalidated = false;
  int mode = 0;
  std::deque<Node> queue;           // with the option "lazy": what nobody has waited for
  u64 copies_waiting = 0;           // in the queue
  bool blocking() const { return !(flags & 1); }
};
struct Event {
  u32 flags = 0;
  std::shared_ptr<Moment> moment;   // null before it is recorded
  std::shared_ptr<Graph> capture;
};

struct Counters {
  u64 launches = 0, lines_read = 0, lines_written = 0, api_calls = 0, most_copies_waiting = 0;
  LaunchCounts kernels;
};

class Runtime {
 public:
  static Runtime &instance();

  // Called first by every function: counts the call and answers what the script wants.
  int enter(const char *function);
  u64 calls_of(const char *function) const { auto it = calls_.find(function); return it == calls_.end() ? 0 : it->second; }
  int done(int code);
  // Sets an option by its name in lower case, without GFXEMU_; false when it is unknown or malformed.
  bool set_option(const std::string &name, const std::string &value);

  // Runs a node, or adds it to the graph that the stream captures, or to the stream's queue.
  int submit(void *stream, Node node);
  // The same for what is not captured.
  int enqueue(Stream &stream, Node node);
  // Runs what waits in queues: of a stream, as far as a moment or one piece of it, or of all.
  void drain(Stream &stream, const Moment *until = nullptr);
  void drain_one(Stream &stream);
  void drain_all();
  int prepare_launch(Node &node, void **parameters, void **extra);
  Stream *stream(void *handle);
  // What a call that waits answers: a fault before it, or that the stream captures.
  int wait(void *stream, bool device_wide);
  bool capturing_globally() const { return global_captures > 0; }
  void say(const std::string &text) const;

  std::recursive_mutex lock;
  std::vector<Arch> archs{Arch::Gfx942};  // by device; the last one for all further devices
  std::unique_ptr<DeviceMemory> memory;
  LaunchOptions options;
  Counters counters;
  Stream null_stream;
  std::set<Stream *> streams;
  std::set<Event *> events;
  std::set<Graph *> graphs;
  std::set<Graph *> executables;
  std::set<Module *> modules;
  int devices = 1, version = 60443484, sticky = 0, global_captures = 0, log = 0;
  bool count_lines = false, lazy = false;
  std::string counter_file, last_fault;
  Arch arch(int device) const { return archs[std::min((size_t)device, archs.size() - 1)]; }

 private:
  Runtime();
  int execute(const Node &node);
  int check(const Node &node);
  bool is_synchronous(const Node &node) const;
  int launch(const Node &node);
  int copy(void *to, const void *from, u64 bytes);
  int set(const Node &node);
  void report(const Node &node, const LaunchCounts &counts, const AddressSpace &space);
  bool read_script(const std::string &script);
  struct Failure { std::string function; u64 call; int code; };  // call 0: every one
  std::vector<Failure> script_;
  std::map<std::string, u64> calls_;
  u64 packet_ = 0;
  std::map<size_t, u64> kernargs_;  // by size: one segment for each, so that reading behind the arguments is a fault
};

const char *error_name(int code);
const char *error_text(int code);
extern thread_local int last_error, current_device;
inline u32 compute_units(Arch arch) { return arch == Arch::Gfx942 ? 304 : 48; }
inline u32 wave_size(Arch arch) { return arch == Arch::Gfx942 ? 64 : 32; }
double now_ms();

}  // namespace gfxemu

#define GFXEMU_API extern "C" __attribute__((visibility("default")))
#define GFXEMU_CALL \
  Runtime &rt = Runtime::instance(); \
  std::lock_guard hold(rt.lock); \
  if (int failed = rt.enter(__func__)) return rt.done(failed)
