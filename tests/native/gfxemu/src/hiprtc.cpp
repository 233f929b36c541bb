// libhiprtc over an installed clang: a program is written to a folder of its own and compiled there.
//   GFXEMU_CLANG  the compiler (clang++-19)      GFXEMU_ARCH  the architecture where no option names one (gfx942)
#include "hiprtc_prelude.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <spawn.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

extern char **environ;

namespace {

enum Code { Ok, OutOfMemory, CreationFailure, InvalidInput, InvalidProgram, InvalidOption, Compilation, BuiltinFailure, NoNamesAfter, NoNamesBefore, BadName, Internal };

struct Program {
  std::string source, name, log;
  std::vector<std::pair<std::string, std::string>> headers;  // name, text
  std::vector<char> code;
};

std::string environment(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value && *value ? value : otherwise;
}

std::vector<char> read_file(const std::filesystem::path &path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write_file(const std::filesystem::path &path, const std::string &text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

int execute(const std::vector<std::string> &words, const std::filesystem::path &output) {
  std::vector<char *> argv;
  for (auto &w : words) argv.push_back(const_cast<char *>(w.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t child;
  int failed = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ), status = 0;
  posix_spawn_file_actions_destroy(&actions);
  if (failed) return -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// What hipRTC's options are for clang; the architecture may carry features, as in gfx942:sramecc+.
std::vector<std::string> compiler_words(const std::vector<std::string> &options) {
  std::vector<std::string> words{environment("GFXEMU_CLANG", "clang++-19"), "-std=c++17", "-O3", "-D__HIPCC_RTC__=1"};
  std::string arch = environment("GFXEMU_ARCH", "gfx942"), format = "-mcode-object-version=4";
  for (const std::string &o : options) {
    bool taken = false;
    for (const char *prefix : {"--gpu-architecture=", "--offload-arch=", "-arch="})
      if (o.starts_with(prefix)) { arch = o.substr(strlen(prefix)); taken = true; }
    if (!taken && !o.empty() && !o.starts_with("-mcode-object-version=")) words.push_back(o);
    if (o.starts_with("-mcode-object-version=")) format = o;
  }
  // "gfx000:sm_90" is what tests/native/hipcuda calls an NVIDIA GPU: its code is PTX.
  size_t sm = arch.find("sm_");
  auto more = sm == std::string::npos
    ? std::vector<std::string>{"-x", "hip", "--offload-device-only", "--no-gpu-bundle-output", "-nogpuinc", "-nogpulib", format, "-D__HIP_PLATFORM_AMD__=1", "--offload-arch=" + arch}
    : std::vector<std::string>{"-x", "cuda", "--cuda-device-only", "-nocudainc", "-nocudalib", "-S", "--cuda-feature=+ptx80", "-Wno-unknown-cuda-version", "--cuda-gpu-arch=" + arch.substr(sm)};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

Code compile(Program &p, const std::vector<std::string> &options) {
  char pattern[] = "/tmp/gfxemu-rtc-XXXXXX";
  if (!mkdtemp(pattern)) return Internal;
  std::filesystem::path folder = pattern, source = folder / "program.hip", object = folder / "program.co";
  for (auto &[name, text] : p.headers) write_file(folder / "include" / name, text);
  write_file(folder / "prelude.h", gfxemu::hiprtc_prelude);
  write_file(source, "#line 1 \"" + p.name + "\"\n" + p.source);
  auto words = compiler_words(options);
  bool ptx = std::find(words.begin(), words.end(), "cuda") != words.end();
  words.insert(words.end(), {"-I", folder / "include"});
  if (!ptx) words.insert(words.end(), {"-include", folder / "prelude.h"});
  words.push_back("-o");
  words.push_back(object);
  words.push_back(source);
  int status = execute(words, folder / "log");
  auto log = read_file(folder / "log");
  p.log.assign(log.begin(), log.end());
  if (status < 0) p.log = words[0] + " cannot be run";
  p.code = status == 0 ? read_file(object) : std::vector<char>();
  if (ptx && status == 0) p.code.push_back(0);
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return status ? Compilation : p.code.empty() ? Internal : Ok;
}

}  // namespace

#define API extern "C" __attribute__((visibility("default")))

API const char *hiprtcGetErrorString(int code) {
  static const char *const names[] = {
    "HIPRTC_SUCCESS", "HIPRTC_ERROR_OUT_OF_MEMORY", "HIPRTC_ERROR_PROGRAM_CREATION_FAILURE", "HIPRTC_ERROR_INVALID_INPUT", "HIPRTC_ERROR_INVALID_PROGRAM",
    "HIPRTC_ERROR_INVALID_OPTION", "HIPRTC_ERROR_COMPILATION", "HIPRTC_ERROR_BUILTIN_OPERATION_FAILURE", "HIPRTC_ERROR_NO_NAME_EXPRESSIONS_AFTER_COMPILATION",
    "HIPRTC_ERROR_NO_LOWERED_NAMES_BEFORE_COMPILATION", "HIPRTC_ERROR_NAME_EXPRESSION_NOT_VALID", "HIPRTC_ERROR_INTERNAL_ERROR"};
  return code >= 0 && code < 12 ? names[code] : "unknown hipRTC error";
}
API int hiprtcVersion(int *major, int *minor) {
  if (!major || !minor) return InvalidInput;
  *major = 6;
  *minor = 4;
  return Ok;
}
API int hiprtcCreateProgram(void **out, const char *source, const char *name, int count, const char **headers, const char **names) {
  if (!out || !source || count < 0 || (count && (!headers || !names))) return InvalidInput;
  auto *p = new Program{source, name && *name ? name : "program.hip", "", {}, {}};
  for (int k = 0; k < count; k++) p->headers.emplace_back(names[k], headers[k]);
  *out = p;
  return Ok;
}
API int hiprtcDestroyProgram(void **program) {
  if (!program || !*program) return InvalidInput;
  delete (Program *)*program;
  *program = nullptr;
  return Ok;
}
API int hiprtcCompileProgram(void *program, int count, const char **options) {
  if (!program || (count && !options)) return InvalidInput;
  return compile(*(Program *)program, std::vector<std::string>(options, options + count));
}
API int hiprtcGetProgramLogSize(void *program, size_t *bytes) {
  if (!program || !bytes) return InvalidInput;
  *bytes = ((Program *)program)->log.size() + 1;
  return Ok;
}
API int hiprtcGetProgramLog(void *program, char *log) {
  if (!program || !log) return InvalidInput;
  memcpy(log, ((Program *)program)->log.c_str(), ((Program *)program)->log.size() + 1);
  return Ok;
}
API int hiprtcGetCodeSize(void *program, size_t *bytes) {
  if (!program || !bytes) return InvalidInput;
  *bytes = ((Program *)program)->code.size();
  return *bytes ? Ok : InvalidProgram;
}
API int hiprtcGetCode(void *program, char *code) {
  if (!program || !code) return InvalidInput;
  auto &bytes = ((Program *)program)->code;
  if (bytes.empty()) return InvalidProgram;
  memcpy(code, bytes.data(), bytes.size());
  return Ok;
}
