#include "hip_runtime.h"

using namespace gfxemu;

namespace {

struct Description { int code; const char *name, *text; };
const Description descriptions[] = {
  {0, "hipSuccess", "no error"},
  {1, "hipErrorInvalidValue", "invalid argument"},
  {2, "hipErrorOutOfMemory", "out of memory"},
  {3, "hipErrorNotInitialized", "initialization error"},
  {4, "hipErrorDeinitialized", "driver shutting down"},
  {9, "hipErrorInvalidConfiguration", "invalid configuration argument"},
  {13, "hipErrorInvalidSymbol", "invalid device symbol"},
  {17, "hipErrorInvalidDevicePointer", "invalid device pointer"},
  {21, "hipErrorInvalidMemcpyDirection", "invalid copy direction for memcpy"},
  {35, "hipErrorInsufficientDriver", "driver version is insufficient for runtime version"},
  {98, "hipErrorInvalidDeviceFunction", "invalid device function"},
  {100, "hipErrorNoDevice", "no ROCm-capable device is detected"},
  {101, "hipErrorInvalidDevice", "invalid device ordinal"},
  {200, "hipErrorInvalidImage", "device kernel image is invalid"},
  {201, "hipErrorInvalidContext", "invalid device context"},
  {209, "hipErrorNoBinaryForGpu", "no kernel image is available for execution on the device"},
  {301, "hipErrorFileNotFound", "file not found"},
  {400, "hipErrorInvalidHandle", "invalid resource handle"},
  {401, "hipErrorIllegalState", "the operation cannot be performed in the present state"},
  {500, "hipErrorNotFound", "named symbol not found"},
  {600, "hipErrorNotReady", "device not ready"},
  {700, "hipErrorIllegalAddress", "an illegal memory access was encountered"},
  {701, "hipErrorLaunchOutOfResources", "too many resources requested for launch"},
  {702, "hipErrorLaunchTimeOut", "the launch timed out and was terminated"},
  {719, "hipErrorLaunchFailure", "unspecified launch failure"},
  {801, "hipErrorNotSupported", "operation not supported"},
  {900, "hipErrorStreamCaptureUnsupported", "operation not permitted when stream is capturing"},
  {901, "hipErrorStreamCaptureInvalidated", "operation failed due to a previous error during capture"},
  {903, "hipErrorStreamCaptureUnmatched", "capture was not initiated in this stream"},
  {906, "hipErrorStreamCaptureImplicit", "operation would make the legacy stream depend on a capturing blocking stream"},
  {910, "hipErrorGraphExecUpdateFailure", "the graph update was not performed because it included changes which violated constraints specific to instantiated graph update"},
  {999, "hipErrorUnknown", "unknown error"},
};

}  // namespace

namespace gfxemu {

const char *error_name(int code) {
  for (auto &d : descriptions) if (d.code == code) return d.name;
  return "hipErrorUnknown";
}
const char *error_text(int code) {
  for (auto &d : descriptions) if (d.code == code) return d.text;
  return "unknown error";
}

}  // namespace gfxemu

GFXEMU_API const char *hipGetErrorName(int code) { return error_name(code); }
GFXEMU_API const char *hipGetErrorString(int code) { return error_text(code); }
GFXEMU_API int hipDrvGetErrorName(int code, const char **name) { *name = error_name(code); return 0; }
GFXEMU_API int hipDrvGetErrorString(int code, const char **text) { *text = error_text(code); return 0; }
GFXEMU_API int hipGetLastError() { int e = last_error; last_error = 0; return e; }
GFXEMU_API int hipPeekAtLastError() { return last_error; }
GFXEMU_API int hipExtGetLastError() { return hipGetLastError(); }
