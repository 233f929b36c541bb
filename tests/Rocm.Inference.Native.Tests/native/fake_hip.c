/* A HIP runtime without a GPU: answers what the environment tells it to, keeps account of its objects, and fails on demand.
 *   FAKE_HIP_DEVICES   how many devices it has (1)
 *   FAKE_HIP_FAIL      "hipInit=101,hipGetDeviceCount=100": functions that fail, and how
 *   FAKE_HIP_ARCH      the architecture's name (gfx1100)
 *   FAKE_HIP_SLOW_EXIT when set, the library takes its time to leave the process
 * Compiled with -DROCM5 it has the interface of ROCm 5, otherwise that of ROCm 6; with -DINCOMPLETE it lacks a function.
 * With -DNOTHING launches return at once, to time the caller.
 * The fake_hip_ functions script it; what they set holds for the calling thread only. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- scripting ---- */
static __thread int countdown, fail_code, busy;
static __thread long calls;
static __thread const char *failed;
static const char *fail_list;
static int devices = 1;
static const char *arch_name = "gfx1100";
static _Atomic long live, misuse;
static _Atomic uint64_t memory_limit = 16ull << 30;

__attribute__((constructor)) static void read_environment(void) {
  const char *n = getenv("FAKE_HIP_DEVICES"), *a = getenv("FAKE_HIP_ARCH");
  fail_list = getenv("FAKE_HIP_FAIL");
  if (n) devices = atoi(n);
  if (a) arch_name = a;
}

/* The n-th call from now on fails with the code; 0: none does. */
void fake_hip_fail_call(int n, int code) { countdown = n; fail_code = code; failed = 0; }
/* The function that failed because of the above, or null. */
const char *fake_hip_failed(void) { return failed; }
long fake_hip_calls(void) { return calls; }
/* Objects and allocations that exist. */
long fake_hip_live(void) { return live; }
/* Uses of what was destroyed, destructions of what others need, ranges outside of memory. */
long fake_hip_misuse(void) { return misuse; }
/* So many queries from now on answer "not ready". */
void fake_hip_busy(int n) { busy = n; }
void fake_hip_devices(int n) { devices = n; }
void fake_hip_limit(uint64_t bytes) { memory_limit = bytes; }

/* As in the real library, nothing may be called once its static objects are gone. */
static int gone;
__attribute__((destructor)) static void leave(void) { gone = 1; if (getenv("FAKE_HIP_SLOW_EXIT")) usleep(100000); }

static int listed(const char *function) {
  size_t n = strlen(function);
  for (const char *at = fail_list; at && *at; at = strchr(at, ','), at = at ? at + 1 : 0)
    if (!strncmp(at, function, n) && at[n] == '=') return atoi(at + n + 1);
  return 0;
}

static int enter(const char *function) {
  if (gone) abort();
  calls++;
  if (countdown > 0 && --countdown == 0) { failed = function; return fail_code; }
  return fail_list ? listed(function) : 0;
}

#define ANSWER do { int status_ = enter(__func__); if (status_) return status_; } while (0)
#define CHECK(device) do { ANSWER; if ((device) < 0 || (device) >= devices) return 101; } while (0)
#define WRONG(code) do { misuse++; return (code); } while (0)

/* ---- objects: never freed, so that a use after destruction is seen ---- */
enum { STREAM = 1, EVENT, MODULE, FUNCTION, GRAPH, EXEC, POOL, PROGRAM, BLAS, DESC, LAYOUT, PREFERENCE, COMM };
typedef struct Object {
  int kind, alive, count, invalid, device;
  struct Object *owner, *capture;
  const unsigned char *image;
  struct { int kind; struct Object *function; } nodes[512];
  char text[4096];
} Object;

static Object *make(int kind) { Object *o = calloc(1, sizeof *o); o->kind = kind; o->alive = 1; live++; return o; }
static int is(const void *p, int kind) { const Object *o = p; return o && o->kind == kind && o->alive; }
static int destroy(void *p, int kind, int error) { if (!is(p, kind)) WRONG(error); ((Object *)p)->alive = 0; live--; return 0; }
#define NEED(p, kind, error) do { if (!is(p, kind)) WRONG(error); } while (0)

/* ---- memory ---- */
typedef struct Range { char *start; size_t bytes; int type; Object *pool; struct Range *next; } Range;
static Range *ranges;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
enum { DEVICE = 1, PINNED, POOLED };

static int allocate(void **out, size_t bytes, int type, Object *pool) {
  if (bytes > memory_limit) return 2;
  Range *r = malloc(sizeof *r);
  *r = (Range){ malloc(bytes), bytes, type, pool, 0 };
  memset(r->start, 0xff, bytes);
  pthread_mutex_lock(&lock);
  r->next = ranges; ranges = r;
  pthread_mutex_unlock(&lock);
  live++;
  *out = r->start;
  return 0;
}

static int release(void *p, int type) {
  pthread_mutex_lock(&lock);
  Range **at = &ranges;
  while (*at && (*at)->start != p) at = &(*at)->next;
  Range *r = *at;
  if (r && r->type == type) *at = r->next; else r = 0;
  pthread_mutex_unlock(&lock);
  if (!r) WRONG(1);
  free(r->start); free(r);
  live--;
  return 0;
}

static int inside(const void *p, size_t bytes, int host) {
  int found = 0;
  pthread_mutex_lock(&lock);
  for (Range *r = ranges; r; r = r->next)
    if ((const char *)p >= r->start && (const char *)p + bytes <= r->start + r->bytes) found = host ? r->type == PINNED : r->type != PINNED;
  pthread_mutex_unlock(&lock);
  return found;
}

static int pool_in_use(Object *pool) {
  int found = 0;
  pthread_mutex_lock(&lock);
  for (Range *r = ranges; r; r = r->next) found |= r->pool == pool;
  pthread_mutex_unlock(&lock);
  return found;
}

static void drop_memory(Object *pool) {
  pthread_mutex_lock(&lock);
  for (Range **at = &ranges; *at;) {
    Range *r = *at;
    if (r->pool != pool) { at = &r->next; continue; }
    *at = r->next;
    free(r->start); free(r);
    live--;
  }
  pthread_mutex_unlock(&lock);
}

/* ---- device ---- */
static __thread int current;
int hipInit(unsigned flags) { ANSWER; return flags ? 1 : 0; }
int hipGetDeviceCount(int *count) { *count = 0; ANSWER; *count = devices; return *count ? 0 : 100; }
int hipDeviceGetName(char *name, int capacity, int device) { CHECK(device); snprintf(name, (size_t)capacity, "Fake Radeon %d", device); return 0; }
int hipDeviceTotalMem(size_t *bytes, int device) { CHECK(device); *bytes = (size_t)(16 + device) << 30; return 0; }
int hipGetDevice(int *device) { ANSWER; *device = current; return 0; }
int hipSetDevice(int device) { CHECK(device); current = device; return 0; }
int hipDeviceSynchronize(void) { ANSWER; return 0; }
int hipMemGetInfo(size_t *free, size_t *total) { ANSWER; *total = (size_t)16 << 30; *free = 1 << 20; return 0; }

int hipDeviceGetAttribute(int *value, int attribute, int device) {
  CHECK(device);
  switch (attribute) {
    case 5: *value = 2500000; return 0;
    case 16: *value = device == 1; return 0;
    case 19: *value = 6 << 20; return 0;
    case 56: *value = 1024; return 0;
    case 57: *value = 2048; return 0;
    case 59: *value = 384; return 0;
    case 60: *value = 1250000; return 0;
    case 63: *value = 60 + device; return 0;
    case 67: *value = 3 + device; return 0;
    case 68: case 69: *value = 0; return 0;
    case 74: *value = 65536; return 0;
    case 87: *value = 32; return 0;
    case 88: *value = 1; return 0;
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
int hipGetDeviceProperties(char *p, int device) { CHECK(device); return fill(p, 792, 396, arch_name); }
#else
int hipRuntimeGetVersion(int *version) { ANSWER; *version = 60241134; return 0; }
int hipGetDevicePropertiesR0600(char *p, int device) { CHECK(device); return fill(p, 1472, 1160, arch_name); }
int hipGetDeviceProperties(char *p, int device) { CHECK(device); return fill(p, 792, 396, "gfx000"); }
#endif

#ifndef INCOMPLETE
int hipDriverGetVersion(int *version) { return hipRuntimeGetVersion(version); }
#endif

int hipGetLastError(void) { return 0; }

const char *hipGetErrorName(int error) {
  switch (error) {
    case 1: return "hipErrorInvalidValue";
    case 2: return "hipErrorOutOfMemory";
    case 3: return "hipErrorNotInitialized";
    case 35: return "hipErrorInsufficientDriver";
    case 100: return "hipErrorNoDevice";
    case 101: return "hipErrorInvalidDevice";
    case 200: return "hipErrorInvalidImage";
    case 209: return "hipErrorNoBinaryForGpu";
    case 400: return "hipErrorInvalidHandle";
    case 500: return "hipErrorNotFound";
    case 700: return "hipErrorIllegalAddress";
    case 719: return "hipErrorLaunchFailure";
    case 900: return "hipErrorStreamCaptureUnsupported";
    case 901: return "hipErrorStreamCaptureInvalidated";
    case 910: return "hipErrorGraphExecUpdateFailure";
    default: return 0;
  }
}

const char *hipGetErrorString(int error) {
  return error == 100 ? "no ROCm-capable device is detected" : error == 1 ? "invalid argument" : error == 2 ? "out of memory" : hipGetErrorName(error);
}

/* ---- memory and pools ---- */
int hipMalloc(void **p, size_t bytes) { ANSWER; return allocate(p, bytes, DEVICE, 0); }
int hipFree(void *p) { ANSWER; return release(p, DEVICE); }
int hipHostMalloc(void **p, size_t bytes, unsigned flags) { ANSWER; return flags ? 1 : allocate(p, bytes, PINNED, 0); }
int hipHostFree(void *p) { ANSWER; return release(p, PINNED); }
typedef struct { int type, handles, location_type, location; void *security; size_t max; char reserved[56]; } Props;
int hipMemPoolCreate(Object **pool, const Props *props) { ANSWER; if (props->type != 1 || props->location_type != 1) return 1; *pool = make(POOL); return 0; }
int hipMemPoolDestroy(Object *pool) {
  ANSWER;
  /* Memory that a scripted failure kept from being freed goes with its pool. */
  if (pool_in_use(pool)) { if (!failed) WRONG(1); drop_memory(pool); }
  return destroy(pool, POOL, 1);
}
int hipMemPoolSetAttribute(Object *pool, int attribute, const uint64_t *value) { ANSWER; NEED(pool, POOL, 1); return attribute == 4 && value ? 0 : 1; }
int hipMemPoolTrimTo(Object *pool, size_t bytes) { (void)bytes; ANSWER; NEED(pool, POOL, 1); return 0; }
int hipMemPoolGetAttribute(Object *pool, int attribute, uint64_t *value) {
  ANSWER; NEED(pool, POOL, 1);
  *value = 0;
  pthread_mutex_lock(&lock);
  for (Range *r = ranges; r; r = r->next) if (r->pool == pool) *value += r->bytes;
  pthread_mutex_unlock(&lock);
  return attribute == 5 || attribute == 7 ? 0 : 1;
}
int hipMallocFromPoolAsync(void **p, size_t bytes, Object *pool, Object *stream) { ANSWER; NEED(pool, POOL, 1); NEED(stream, STREAM, 400); return allocate(p, bytes, POOLED, pool); }
int hipFreeAsync(void *p, Object *stream) { ANSWER; NEED(stream, STREAM, 400); return release(p, POOLED); }

/* ---- streams, events, graphs ---- */
static int node(Object *stream, int kind, Object *function) {
  Object *g = stream->capture;
  if (!g) return 0;
  if (g->count == 512) WRONG(1);
  g->nodes[g->count].kind = kind;
  g->nodes[g->count++].function = function;
  return -1;
}

int hipStreamCreateWithFlags(Object **stream, unsigned flags) { ANSWER; if (flags != 1) return 1; *stream = make(STREAM); (*stream)->device = current; return 0; }
int hipStreamDestroy(Object *stream) { ANSWER; return destroy(stream, STREAM, 400); }
int hipStreamSynchronize(Object *stream) { ANSWER; NEED(stream, STREAM, 400); if (!stream->capture) return 0; stream->capture->invalid = 1; return 900; }
int hipStreamQuery(Object *stream) { ANSWER; NEED(stream, STREAM, 400); return busy > 0 && busy-- ? 600 : 0; }
int hipStreamBeginCapture(Object *stream, int mode) { ANSWER; NEED(stream, STREAM, 400); if (mode != 1 || stream->capture) return 1; stream->capture = make(GRAPH); return 0; }
int hipStreamEndCapture(Object *stream, Object **graph) {
  /* A capture ends even when its end fails. */
  Object *g = is(stream, STREAM) ? stream->capture : 0;
  int status = enter(__func__);
  *graph = 0;
  if (!g) WRONG(400);
  stream->capture = 0;
  if (!status && g->invalid) status = 901;
  if (status) return destroy(g, GRAPH, 1), status;
  *graph = g;
  return 0;
}
int hipEventCreateWithFlags(Object **event, unsigned flags) { ANSWER; if (flags & ~2u) return 1; *event = make(EVENT); return 0; }
int hipEventDestroy(Object *event) { ANSWER; return destroy(event, EVENT, 400); }
int hipEventRecord(Object *event, Object *stream) { ANSWER; NEED(event, EVENT, 400); NEED(stream, STREAM, 400); event->count++; node(stream, 3, 0); return 0; }
int hipStreamWaitEvent(Object *stream, Object *event, unsigned flags) { ANSWER; NEED(event, EVENT, 400); NEED(stream, STREAM, 400); return flags ? 1 : 0; }
int hipEventSynchronize(Object *event) { ANSWER; NEED(event, EVENT, 400); return 0; }
int hipEventQuery(Object *event) { ANSWER; NEED(event, EVENT, 400); return busy > 0 && busy-- ? 600 : 0; }
int hipEventElapsedTime(float *ms, Object *start, Object *stop) { ANSWER; NEED(start, EVENT, 400); NEED(stop, EVENT, 400); *ms = 0.5f; return 0; }

int hipMemcpyAsync(void *to, const void *from, size_t bytes, int kind, Object *stream) {
  ANSWER; NEED(stream, STREAM, 400);
  int to_host = kind == 0 || kind == 2, from_host = kind == 0 || kind == 1;
  if (kind < 0 || kind > 3) WRONG(1);
  /* Pageable memory is not in the list. */
  if (!to_host && !inside(to, bytes, 0)) WRONG(1);
  if (!from_host && !inside(from, bytes, 0)) WRONG(1);
  if (!node(stream, 1, 0)) memmove(to, from, bytes);
  return 0;
}
int hipMemsetAsync(void *to, int value, size_t bytes, Object *stream) {
  ANSWER; NEED(stream, STREAM, 400);
  if (!inside(to, bytes, 0) && !inside(to, bytes, 1)) WRONG(1);
  if (!node(stream, 2, 0)) memset(to, value, bytes);
  return 0;
}

int hipGraphDestroy(Object *graph) { ANSWER; return destroy(graph, GRAPH, 1); }
int hipGraphGetNodes(Object *graph, void *nodes, size_t *count) { ANSWER; NEED(graph, GRAPH, 1); if (nodes) return 1; *count = (size_t)graph->count; return 0; }
int hipGraphInstantiate(Object **exec, Object *graph, void *error, char *log, size_t bytes) {
  (void)error; (void)log; (void)bytes;
  ANSWER; NEED(graph, GRAPH, 1);
  *exec = make(EXEC);
  (*exec)->count = graph->count;
  memcpy((*exec)->nodes, graph->nodes, sizeof graph->nodes);
  return 0;
}
int hipGraphExecUpdate(Object *exec, Object *graph, void **error, int *result) {
  ANSWER; NEED(exec, EXEC, 1); NEED(graph, GRAPH, 1);
  *error = 0; *result = 0;
  int same = exec->count == graph->count;
  for (int i = 0; same && i < graph->count; i++) same = exec->nodes[i].kind == graph->nodes[i].kind;
  if (!same) { *result = 2; return 910; }
  memcpy(exec->nodes, graph->nodes, sizeof graph->nodes);
  return 0;
}
int hipGraphLaunch(Object *exec, Object *stream) {
#ifdef NOTHING
  return 0;
#endif
  ANSWER; NEED(exec, EXEC, 1); NEED(stream, STREAM, 400);
  for (int i = 0; i < exec->count; i++) if (exec->nodes[i].function && !is(exec->nodes[i].function->owner, MODULE)) WRONG(98);
  return 0;
}
int hipGraphExecDestroy(Object *exec) { ANSWER; return destroy(exec, EXEC, 1); }

/* ---- modules ---- */
static int machine(const char *arch) {
  static const struct { const char *name; int number; } known[] = { { "gfx1100", 0x41 }, { "gfx942", 0x4c }, { "gfx90a", 0x3f }, { "gfx1201", 0x4e } };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) if (!strncmp(arch, known[i].name, strlen(known[i].name))) return known[i].number;
  return 0;
}
static int is_elf(const unsigned char *p) { return !memcmp(p, "\177ELF", 4); }

int hipModuleLoadData(Object **module, const unsigned char *image) {
  ANSWER;
  if (!is_elf(image)) return 200;
  if (image[48] != machine(arch_name)) return 209;
  *module = make(MODULE);
  (*module)->image = image;
  return 0;
}
int hipModuleUnload(Object *module) { ANSWER; return destroy(module, MODULE, 400); }
int hipModuleGetFunction(Object **function, Object *module, const char *name) {
  ANSWER; NEED(module, MODULE, 400);
  if (!is_elf(module->image)) WRONG(200);
  if (strstr(name, "missing")) return 500;
  Object *f = calloc(1, sizeof *f);
  f->kind = FUNCTION; f->alive = 1; f->owner = module;
  snprintf(f->text, sizeof f->text, "%s", name);
  *function = f;
  return 0;
}
int hipFuncGetAttribute(int *value, int attribute, Object *f) {
  ANSWER; NEED(f, FUNCTION, 1); NEED(f->owner, MODULE, 1);
  *value = attribute == 0 ? 256 : attribute == 1 ? 1024 : attribute == 3 ? 0 : attribute == 4 ? 96 : -1;
  return *value < 0 ? 1 : 0;
}
int hipModuleOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, Object *f, int threads, size_t shared) {
  ANSWER; NEED(f, FUNCTION, 1);
  *blocks = (int)(2048 / threads) - (shared > 32768);
  return 0;
}

/* What the last launch of this thread was given: grid, block, shared bytes, and the arguments. */
static __thread unsigned last[7];
static __thread size_t last_bytes;
static __thread unsigned char last_arguments[4096];
const unsigned *fake_hip_last_launch(void) { return last; }
const unsigned char *fake_hip_last_arguments(size_t *bytes) { *bytes = last_bytes; return last_arguments; }

int hipModuleLaunchKernel(Object *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, Object *stream, void **params, void **extra) {
#ifdef NOTHING
  if (!stream->capture) return 0;
#endif
  ANSWER; NEED(f, FUNCTION, 98); NEED(f->owner, MODULE, 98); NEED(stream, STREAM, 400);
  if (params || !extra || extra[0] != (void *)1 || extra[2] != (void *)2 || extra[4] != (void *)3) WRONG(1);
  size_t bytes = *(size_t *)extra[3];
  if (bytes > sizeof last_arguments) WRONG(1);
  last[0] = gx; last[1] = gy; last[2] = gz; last[3] = bx; last[4] = by; last[5] = bz; last[6] = shared;
  if (bytes) memcpy(last_arguments, extra[1], bytes);
  last_bytes = bytes;
  node(stream, 4, f);
  return 0;
}

#ifndef ROCM5
/* ---- hipRTC ---- */
int hiprtcVersion(int *major, int *minor) { ANSWER; *major = 6; *minor = 2; return 0; }
const char *hiprtcGetErrorString(int error) { return error == 1 ? "HIPRTC_ERROR_OUT_OF_MEMORY" : error == 6 ? "HIPRTC_ERROR_COMPILATION" : "HIPRTC_ERROR_INTERNAL_ERROR"; }
int hiprtcCreateProgram(Object **program, const char *source, const char *name, int headers, const char **texts, const char **names) {
  ANSWER;
  *program = make(PROGRAM);
  int n = snprintf((*program)->text, 2048, "%s:%s", name, source);
  for (int i = 0; i < headers; i++) n += snprintf((*program)->text + n, 512, "|%s:%s", names[i], texts[i]);
  return 0;
}
int hiprtcDestroyProgram(Object **program) { ANSWER; return destroy(*program, PROGRAM, 4); }
int hiprtcCompileProgram(Object *program, int count, const char **options) {
  ANSWER; NEED(program, PROGRAM, 4);
  for (int i = 0; i < count; i++) if (!strncmp(options[i], "--offload-arch=", 15)) program->device = machine(options[i] + 15);
  program->invalid = !!strstr(program->text, "#error");
  program->count = 1;
  return program->invalid ? 6 : 0;
}
static const char *log_of(const Object *program) { return program->invalid ? "error: as the source says\n" : ""; }
int hiprtcGetProgramLogSize(Object *program, size_t *bytes) { ANSWER; NEED(program, PROGRAM, 4); *bytes = strlen(log_of(program)) + 1; return 0; }
int hiprtcGetProgramLog(Object *program, char *log) { ANSWER; NEED(program, PROGRAM, 4); strcpy(log, log_of(program)); return 0; }
int hiprtcGetCodeSize(Object *program, size_t *bytes) { ANSWER; NEED(program, PROGRAM, 4); if (!program->count) return 4; *bytes = 64 + strlen(program->text); return 0; }
int hiprtcGetCode(Object *program, unsigned char *code) {
  ANSWER; NEED(program, PROGRAM, 4);
  memset(code, 0, 64);
  memcpy(code, "\177ELF\2\1\1\100\2", 9);
  code[18] = 224;
  code[48] = (unsigned char)program->device;
  memcpy(code + 64, program->text, strlen(program->text));
  return 0;
}

/* ---- hipBLASLt ---- */
int hipblasLtCreate(Object **handle) { ANSWER; *handle = make(BLAS); return 0; }
int hipblasLtDestroy(Object *handle) { ANSWER; return destroy(handle, BLAS, 3); }
int hipblasLtGetVersion(Object *handle, int *version) { ANSWER; NEED(handle, BLAS, 3); *version = 1000; return 0; }
int hipblasLtMatmulDescCreate(Object **desc, int compute, int scale) { ANSWER; if (compute != 2 || scale) return 3; *desc = make(DESC); return 0; }
int hipblasLtMatmulDescDestroy(Object *desc) { ANSWER; return destroy(desc, DESC, 3); }
int hipblasLtMatmulDescSetAttribute(Object *desc, int attribute, const int *value, size_t bytes) { ANSWER; NEED(desc, DESC, 3); return attribute > 1 || bytes != 4 || *value < 111 || *value > 112 ? 3 : 0; }
int hipblasLtMatrixLayoutCreate(Object **layout, int type, uint64_t rows, uint64_t columns, int64_t ld) { (void)type; ANSWER; if (!rows || !columns || ld < (int64_t)rows) return 3; *layout = make(LAYOUT); return 0; }
int hipblasLtMatrixLayoutDestroy(Object *layout) { ANSWER; return destroy(layout, LAYOUT, 3); }
int hipblasLtMatmulPreferenceCreate(Object **preference) { ANSWER; *preference = make(PREFERENCE); return 0; }
int hipblasLtMatmulPreferenceDestroy(Object *preference) { ANSWER; return destroy(preference, PREFERENCE, 3); }
int hipblasLtMatmulPreferenceSetAttribute(Object *preference, int attribute, const uint64_t *value, size_t bytes) { ANSWER; NEED(preference, PREFERENCE, 3); if (attribute != 1 || bytes != 8) return 3; preference->count = (int)*value; return 0; }
typedef struct { uint64_t data[2]; size_t max; } Algo;
typedef struct { Algo algo; size_t workspace; int state; float waves; int reserved[4]; } Heuristic;
int hipblasLtMatmulAlgoGetHeuristic(Object *handle, Object *desc, Object *a, Object *b, Object *c, Object *d, Object *preference, int asked, Heuristic *results, int *found) {
  ANSWER; NEED(handle, BLAS, 3); NEED(desc, DESC, 3); NEED(a, LAYOUT, 3); NEED(b, LAYOUT, 3); NEED(c, LAYOUT, 3); NEED(d, LAYOUT, 3); NEED(preference, PREFERENCE, 3);
  *found = asked == 1 && preference->count >= 64;
  if (*found) *results = (Heuristic){ { { 7, 8 }, 9 }, 64, 0, 1, { 0 } };
  return 0;
}
int hipblasLtMatmul(Object *handle, Object *desc, const float *alpha, void *a, Object *la, void *b, Object *lb, const float *beta, void *c, Object *lc, void *d, Object *ld, const Algo *algo, void *workspace, size_t bytes, Object *stream) {
  (void)a; (void)b; (void)workspace;
  ANSWER; NEED(handle, BLAS, 3); NEED(desc, DESC, 3); NEED(la, LAYOUT, 3); NEED(lb, LAYOUT, 3); NEED(lc, LAYOUT, 3); NEED(ld, LAYOUT, 3); NEED(stream, STREAM, 3);
  return *alpha == 1 && *beta == 0 && c == d && algo->data[0] == 7 && algo->data[1] == 8 && algo->max == 9 && bytes == 64 ? 0 : 3;
}

/* ---- RCCL ---- */
typedef struct { char bytes[128]; } Id;
int ncclGetVersion(int *version) { ANSWER; *version = 22005; return 0; }
const char *ncclGetErrorString(int error) { return error == 5 ? "invalid usage" : "unhandled error"; }
int ncclGetUniqueId(Id *id) { ANSWER; for (int i = 0; i < 128; i++) id->bytes[i] = (char)i; return 0; }
int ncclCommInitRank(Object **comm, int ranks, Id id, int rank) { ANSWER; for (int i = 0; i < 128; i++) if (id.bytes[i] != (char)i) return 4; if (rank >= ranks) return 4; *comm = make(COMM); return 0; }
int ncclCommDestroy(Object *comm) { ANSWER; return destroy(comm, COMM, 4); }
int ncclCommGetAsyncError(Object *comm, int *result) { ANSWER; NEED(comm, COMM, 4); *result = comm->invalid; return 0; }
int ncclAllReduce(const void *from, void *to, size_t count, int type, int op, Object *comm, Object *stream) { (void)from; (void)to; ANSWER; NEED(comm, COMM, 4); NEED(stream, STREAM, 4); if (op) return 4; comm->invalid = count == 13 ? 5 : 0; return type == 9 ? 0 : 4; }
int ncclAllGather(const void *from, void *to, size_t count, int type, Object *comm, Object *stream) { (void)from; (void)to; (void)count; ANSWER; NEED(comm, COMM, 4); NEED(stream, STREAM, 4); return type == 9 ? 0 : 4; }

/* ---- ROCm SMI ---- */
static _Atomic int smi;
int rsmi_init(uint64_t flags) { ANSWER; if (flags) return 1; smi++; live++; return 0; }
int rsmi_shut_down(void) { ANSWER; if (!smi) WRONG(1); smi--; live--; return 0; }
int rsmi_status_string(int status, const char **text) { *text = status == 8 ? "initialization failed." : "unknown"; return 0; }
int rsmi_num_monitor_devices(uint32_t *count) { ANSWER; *count = 2; return 0; }
int rsmi_dev_pci_id_get(uint32_t index, uint64_t *id) { ANSWER; *id = (uint64_t)(index ? 3 : 99) << 8; return 0; }
int rsmi_dev_memory_total_get(uint32_t index, int type, uint64_t *bytes) { ANSWER; *bytes = 16ull << 30; return index == 1 && !type ? 0 : 1; }
int rsmi_dev_memory_usage_get(uint32_t index, int type, uint64_t *bytes) { ANSWER; *bytes = 5ull << 30; return index == 1 && !type ? 0 : 1; }
typedef struct { _Bool deep_sleep; uint32_t count, current; uint64_t hertz[33]; } Frequencies;
int rsmi_dev_gpu_clk_freq_get(uint32_t index, int clock, Frequencies *f) {
  ANSWER;
  if (index != 1 || (clock && clock != 4)) return 1;
  f->deep_sleep = !clock; f->count = 3; f->current = 1;
  for (int i = 0; i < 3; i++) f->hertz[i] = (uint64_t)(i + 1) * (clock ? 400000000 : 900000000);
  return 0;
}
#endif
