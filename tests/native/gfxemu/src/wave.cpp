#include "wave.h"

#include "program.h"

#include <cstdarg>

namespace gfxemu {

void Wave::set_exec(u64 value) {
  exec = value & full_exec;
  full = exec == full_exec;
  for (int l = 0; l < MaxLanes; l++) mask[l] = exec >> l & 1 ? ~0u : 0;
}

// FP_ROUND is 0 nearest even, 1 up, 2 down, 3 to zero; FP_DENORM bit 0 keeps denormal sources, bit 1 denormal results.
static u32 mxcsr(u32 round, u32 denormals) {
  static const u32 rounding[4] = {0, 2, 1, 3};
  return 0x1f80 | rounding[round & 3] << 13 | (denormals & 1 ? 0 : 0x40) | (denormals & 2 ? 0 : 0x8000);
}

void Wave::set_mode(u32 value) {
  mode = value;
  csr32 = mxcsr(mode, mode >> 4);
  csr64 = mxcsr(mode >> 2, mode >> 6);
  plain = (u8)((mode >> 4 & 1 ? 2 : 0) | (mode >> 6 & 1 ? 4 : 0));
  _mm_setcsr(csr32);
}

u32 scalar_special(const Wave &w, u32 operand, bool high) {
  switch (operand) {
    case SharedBase: return high ? (u32)(SharedAperture >> 32) : 0;
    case SharedLimit: return high ? (u32)(SharedAperture >> 32) : 0xffffffff;
    case PrivateBase: return high ? (u32)(PrivateAperture >> 32) : 0;
    case PrivateLimit: return high ? (u32)(PrivateAperture >> 32) : 0xffffffff;
    case VCCZ: return !high && w.mask_read(VCC) == 0;
    case EXECZ: return !high && w.exec == 0;
    case SCC: return high ? 0 : w.scc;
    default: w.fail(719, format("operand %u cannot be read", operand));
  }
}

void Wave::fail(int code, const std::string &what) const { throw Fault(code, what); }

std::string format(const char *pattern, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, pattern);
  vsnprintf(text, sizeof text, pattern, arguments);
  va_end(arguments);
  return text;
}

}  // namespace gfxemu
