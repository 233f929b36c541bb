// CUDA's driver library, found at run time: nothing of CUDA is needed to build.
#pragma once
#include <cstddef>
#include <cstdint>

namespace hipcuda {

// Result codes and handles of the driver; HIP's codes have the same numbers where both have one.
enum Code { Success = 0, InvalidValue = 1, NoDevice = 100, InvalidDevice = 101, NotFound = 500, NotSupported = 801 };

// Address of a driver function, or null; opens libcuda.so.1 at the first call.
void *find(const char *name);

// The driver is there and has a device.
int start();

// Makes the calling thread's device current; first in every call that needs a context.
int enter();

int done(int code);
extern thread_local int last_error, current_device;

template <class... Args> int call(const char *name, Args... args) {
  auto *function = (int (*)(Args...))find(name);
  return function ? function(args...) : NotSupported;
}

}  // namespace hipcuda

#define API extern "C" __attribute__((visibility("default")))
#define CUDA(name, ...) hipcuda::call(#name, __VA_ARGS__)
// A function that needs the device: enter, call, remember the error.
#define WITH_DEVICE(expression) \
  if (int failed = enter()) return done(failed); \
  return done(expression)
