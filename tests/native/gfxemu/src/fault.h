// What goes wrong inside of a kernel.
#pragma once
#include <stdexcept>
#include <string>

namespace gfxemu {

struct Fault : std::runtime_error {
  Fault(int hip_code, const std::string &what) : std::runtime_error(what), code(hip_code) {}
  int code;
};

std::string format(const char *pattern, ...) __attribute__((format(printf, 1, 2)));

}  // namespace gfxemu
