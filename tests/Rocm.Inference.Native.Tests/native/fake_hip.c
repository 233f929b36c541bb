/* A HIP runtime without a GPU: answers what the environment tells it to.
 *   FAKE_HIP_DEVICES   how many devices it has (1)
 *   FAKE_HIP_FAIL      "hipInit=101,hipGetDeviceCount=100": functions that fail, and how
 *   FAKE_HIP_ARCH      the architecture's name (gfx1100)
 * Compiled with -DROCM5 it has the interface of ROCm 5, otherwise that of ROCm 6; with -DINCOMPLETE it lacks a function. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int status_of(const char *function) {
  const char *list = getenv("FAKE_HIP_FAIL");
  size_t n = strlen(function);
  for (const char *at = list; at && *at; at = strchr(at, ','), at = at ? at + 1 : 0)
    if (!strncmp(at, function, n) && at[n] == '=') return atoi(at + n + 1);
  return 0;
}

static int count_of(void) { const char *n = getenv("FAKE_HIP_DEVICES"); return n ? atoi(n) : 1; }
static const char *arch(void) { const char *a = getenv("FAKE_HIP_ARCH"); return a ? a : "gfx1100"; }

#define ANSWER do { int status_ = status_of(__func__); if (status_) return status_; } while (0)
#define CHECK(device) do { ANSWER; if ((device) < 0 || (device) >= count_of()) return 101; } while (0)

int hipInit(unsigned flags) { ANSWER; return flags ? 1 : 0; }
int hipGetDeviceCount(int *count) { *count = 0; ANSWER; *count = count_of(); return *count ? 0 : 100; }
int hipDeviceGetName(char *name, int capacity, int device) { CHECK(device); snprintf(name, (size_t)capacity, "Fake Radeon %d", device); return 0; }
int hipDeviceTotalMem(size_t *bytes, int device) { CHECK(device); *bytes = (size_t)(16 + device) << 30; return 0; }

int hipDeviceGetAttribute(int *value, int attribute, int device) {
  CHECK(device);
  switch (attribute) {
    case 16: *value = device == 1; return 0;
    case 63: *value = 60 + device; return 0;
    case 87: *value = 32; return 0;
    default: return 1;
  }
}

static int fill(char *p, size_t bytes, size_t at, const char *name) {
  memset(p, 0x67, bytes);
  memset(p + at, 0, 256);
  memcpy(p + at, name, strlen(name));
  return 0;
}

#ifdef ROCM5
int hipRuntimeGetVersion(int *version) { ANSWER; *version = 50221153; return 0; }
int hipGetDeviceProperties(char *p, int device) { CHECK(device); return fill(p, 792, 396, arch()); }
#else
int hipRuntimeGetVersion(int *version) { ANSWER; *version = 60241134; return 0; }
int hipGetDevicePropertiesR0600(char *p, int device) { CHECK(device); return fill(p, 1472, 1160, arch()); }
int hipGetDeviceProperties(char *p, int device) { CHECK(device); return fill(p, 792, 396, "gfx000"); }
int hiprtcVersion(int *major, int *minor) { *major = 6; *minor = 2; return 0; }
#endif

#ifndef INCOMPLETE
int hipDriverGetVersion(int *version) { return hipRuntimeGetVersion(version); }
#endif

const char *hipGetErrorName(int error) {
  switch (error) {
    case 1: return "hipErrorInvalidValue";
    case 3: return "hipErrorNotInitialized";
    case 35: return "hipErrorInsufficientDriver";
    case 100: return "hipErrorNoDevice";
    case 101: return "hipErrorInvalidDevice";
    default: return 0;
  }
}

const char *hipGetErrorString(int error) { return error == 100 ? "no ROCm-capable device is detected" : error == 1 ? "invalid argument" : hipGetErrorName(error); }
