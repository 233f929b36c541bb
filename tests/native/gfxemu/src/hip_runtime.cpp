#include "hip_runtime.h"

#include "fault.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

namespace gfxemu {

thread_local int last_error = 0, current_device = 0;

double now_ms() { return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

Runtime &Runtime::instance() {
  // Never destroyed: handles are released by finalizers that may run after exit handlers.
  static Runtime *runtime = new Runtime;
  return *runtime;
}

Runtime::Runtime() {
  options.threads = (int)std::thread::hardware_concurrency();
  options.budget = 1ull << 34;
  memory = std::make_unique<DeviceMemory>(16ull << 30, false, false);
  for (const char *name : {"ARCH", "MEM_MB", "DEVICES", "VERSION", "POISON", "RACES", "SLICE", "BUDGET", "THREADS", "LINES", "COUNTERS", "LOG", "FAIL", "LAZY"})
    if (const char *value = getenv((std::string("GFXEMU_") + name).c_str())) {
      std::string lower = name;
      for (char &c : lower) c = (char)tolower(c);
      if (*value && !set_option(lower, value)) say(format("GFXEMU_%s=%s is not understood", name, value));
    }
  packet_ = memory->allocate(64, MemoryKind::Code, AddressSpace::ReadOnly);
}

bool Runtime::set_option(const std::string &name, const std::string &value) {
  auto number = [&] { return strtoull(value.c_str(), nullptr, 0); };
  if (name == "arch") {
    std::vector<Arch> list;
    std::stringstream names(value);
    for (std::string one; std::getline(names, one, ',');) {
      if (one != "gfx942" && one != "gfx1100") return false;
      list.push_back(one == "gfx942" ? Arch::Gfx942 : Arch::Gfx1100);
    }
    if (list.empty()) return false;
    archs = list;
    devices = std::max(devices, (int)list.size());
  } else if (name == "mem_mb") memory->set_capacity(number() << 20);
  else if (name == "devices") devices = (int)number();
  else if (name == "version") version = (int)number();
  else if (name == "poison") { options.poison = number(); memory->set_poison(number()); }
  else if (name == "races") options.check_races = number();
  else if (name == "slice") options.slice = (u32)number();
  else if (name == "budget") options.budget = number();
  else if (name == "threads") options.threads = std::max(1, (int)number());
  else if (name == "lines") { count_lines = number(); memory->set_count_lines(count_lines); }
  else if (name == "lazy") { lazy = number(); if (!lazy) drain_all(); }
  else if (name == "counters") counter_file = value;
  else if (name == "log") log = (int)number();
  else if (name == "fail") return read_script(value);
  else if (name == "reset") { sticky = 0; last_fault.clear(); counters = {}; calls_.clear(); }
  else return false;
  return true;
}

// "hipMalloc:3=2,hipMemcpyAsync:*=999": the third hipMalloc answers 2, every hipMemcpyAsync 999. Calls count from here.
bool Runtime::read_script(const std::string &script) {
  std::vector<Failure> all;
  std::stringstream entries(script);
  for (std::string e; std::getline(entries, e, ',');) {
    size_t colon = e.find(':'), equals = e.find('=');
    if (colon == std::string::npos || equals == std::string::npos || equals < colon) return false;
    std::string call = e.substr(colon + 1, equals - colon - 1);
    all.push_back({e.substr(0, colon), call == "*" ? 0 : strtoull(call.c_str(), nullptr, 10), atoi(e.c_str() + equals + 1)});
  }
  script_ = std::move(all);
  calls_.clear();
  return true;
}

int Runtime::enter(const char *function) {
  counters.api_calls++;
  u64 call = ++calls_[function];
  for (auto &f : script_)
    if (f.function == function && (f.call == 0 || f.call == call)) {
      if (log) say(format("call %llu of %s fails with %d, as scripted", (unsigned long long)call, function, f.code));
      return f.code;
    }
  return 0;
}

int Runtime::done(int code) {
  if (code && code != NotReady) last_error = code;
  return code;
}

void Runtime::say(const std::string &text) const { std::cerr << "gfxemu: " << text << std::endl; }

Stream *Runtime::stream(void *handle) {
  if ((u64)handle <= 2) return &null_stream;
  return streams.count((Stream *)handle) ? (Stream *)handle : nullptr;
}

int Runtime::wait(void *handle, bool device_wide) {
  Stream *s = stream(handle);
  if (!s) return InvalidHandle;
  if (s->capture || (global_captures && (device_wide || s == &null_stream))) {
    if (s->capture) s->invalidated = true;
    return CaptureUnsupported;
  }
  if (device_wide) drain_all();
  else drain(*s);
  return sticky;
}

int Runtime::submit(void *handle, Node node) {
  Stream *s = stream(handle);
  if (!s) return InvalidHandle;
  if (s->capture) {
    if (s->invalidated) return CaptureInvalidated;
    s->capture->nodes.push_back(std::move(node));
    return Success;
  }
  if (s == &null_stream && global_captures && (u64)handle != 2) return CaptureImplicit;
  return enqueue(*s, std::move(node));
}

int Runtime::prepare_launch(Node &n, void **parameters, void **extra) {
  const Kernel &k = *n.function->kernel;
  u64 threads = n.block.count();
  if (!n.grid.count() || !threads || threads > 1024) return InvalidConfiguration;
  if ((u64)n.grid.x * n.block.x > UINT32_MAX || (u64)n.grid.y * n.block.y > UINT32_MAX || (u64)n.grid.z * n.block.z > UINT32_MAX) return InvalidConfiguration;
  if (threads > k.max_group) { say(format("%s: a block of %llu threads, its limit is %u", k.name.c_str(), (unsigned long long)threads, k.max_group)); return LaunchFailure; }
  const u32 sizes[3] = {n.block.x, n.block.y, n.block.z};
  for (int d = 0; d < 3; d++)
    if (k.required_group[d] && k.required_group[d] != sizes[d]) { say(k.name + ": not the block size that it requires"); return InvalidConfiguration; }
  if ((u64)k.lds_bytes + n.dynamic_lds > 65536) { say(format("%s: %u + %u bytes of LDS", k.name.c_str(), k.lds_bytes, n.dynamic_lds)); return InvalidValue; }
  // The compiler may load whole aligned groups, past the last argument.
  n.arguments.assign((std::max<u32>(k.kernarg_bytes, 1) + 63) & ~63u, 0);
  if (extra) {
    void *buffer = nullptr;
    size_t bytes = 0;
    for (void **e = extra; *e != (void *)3; e += 2) {
      if (*e == (void *)1) buffer = e[1];
      else if (*e == (void *)2) bytes = *(size_t *)e[1];
      else return InvalidValue;
    }
    if (!buffer) return InvalidValue;
    memcpy(n.arguments.data(), buffer, std::min(bytes, n.arguments.size()));
  } else {
    int p = 0;
    for (auto &a : k.arguments) {
      if (a.hidden()) continue;
      if (!parameters || !parameters[p]) return InvalidValue;
      memcpy(n.arguments.data() + a.offset, parameters[p++], a.size);
    }
  }
  fill_hidden_arguments(k, n.arguments.data(), n.grid, n.block, n.dynamic_lds);
  return Success;
}

int Runtime::launch(const Node &n) {
  const Kernel &k = *n.function->kernel;
  u64 &kernargs = kernargs_[n.arguments.size()];
  if (!kernargs) kernargs = memory->allocate(n.arguments.size(), MemoryKind::Code, AddressSpace::ReadOnly);
  memcpy((void *)kernargs, n.arguments.data(), n.arguments.size());
  // hsa_kernel_dispatch_packet_t
  struct { u16 header, setup, group[3], reserved; u32 grid[3], scratch, lds; u64 code, kernargs, reserved2, signal; } packet{};
  packet.setup = 3;
  packet.group[0] = (u16)n.block.x; packet.group[1] = (u16)n.block.y; packet.group[2] = (u16)n.block.z;
  packet.grid[0] = n.grid.x * n.block.x; packet.grid[1] = n.grid.y * n.block.y; packet.grid[2] = n.grid.z * n.block.z;
  packet.scratch = k.scratch_bytes;
  packet.lds = k.lds_bytes + n.dynamic_lds;
  packet.kernargs = kernargs;
  static_assert(sizeof packet == 64);
  memcpy((void *)packet_, &packet, sizeof packet);

  auto space = memory->snapshot(true);
  LaunchCounts counts;
  counters.launches++;
  try {
    run_kernel(k, n.grid, n.block, n.dynamic_lds, kernargs, packet_, *space, options, counts);
  } catch (const Fault &f) {
    last_fault = f.what();
    say(last_fault);
    sticky = f.code;
    return f.code;
  }
  report(n, counts, *space);
  return Success;
}

void Runtime::report(const Node &n, const LaunchCounts &c, const AddressSpace &space) {
  for (int k = 0; k < (int)Class::Count; k++) counters.kernels.classes[k] += c.classes[k];
  counters.kernels.waves += c.waves;
  counters.kernels.groups += c.groups;
  counters.kernels.seconds += c.seconds;
  u64 read = count_lines ? space.lines(false) : 0, written = count_lines ? space.lines(true) : 0;
  counters.lines_read += read;
  counters.lines_written += written;
  if (log) say(format("%s grid %ux%ux%u block %ux%ux%u: %llu wave-instructions, %.3f ms", n.function->kernel->name.c_str(), n.grid.x, n.grid.y, n.grid.z, n.block.x,
                      n.block.y, n.block.z, (unsigned long long)c.total(), 1e3 * c.seconds));
  if (counter_file.empty()) return;
  std::ofstream out(counter_file, std::ios::app);
  out << "{\"kernel\": \"" << n.function->kernel->name << "\", \"grid\": [" << n.grid.x << ", " << n.grid.y << ", " << n.grid.z << "], \"block\": [" << n.block.x << ", "
      << n.block.y << ", " << n.block.z << "], \"waves\": " << c.waves;
  for (int k = 0; k < (int)Class::Count; k++) out << ", \"" << class_name((Class)k) << "\": " << c.classes[k];
  if (count_lines) out << ", \"lines_read\": " << read << ", \"lines_written\": " << written;
  out << ", \"seconds\": " << c.seconds << "}\n";
}

}  // namespace gfxemu
