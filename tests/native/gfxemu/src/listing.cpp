// Lists the code of code objects as this decoder sees it, for comparison with another disassembler.
#include "code_object.h"
#include "print.h"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <set>

using namespace gfxemu;

int main(int argc, char **argv) {
  if (argc < 3) { fprintf(stderr, "usage: gfxemu-listing gfx942|gfx1100 code-object...\n"); return 2; }
  Arch arch = std::string_view(argv[1]) == "gfx942" ? Arch::Gfx942 : Arch::Gfx1100;
  DeviceMemory memory(1ull << 40, false, false);
  for (int k = 2; k < argc; k++) {
    std::ifstream file(argv[k], std::ios::binary);
    std::vector<char> bytes((std::istreambuf_iterator<char>(file)), {});
    try {
      CodeObject object((const u8 *)bytes.data(), arch, memory);
      std::set<Program *> programs;
      for (auto &[name, kernel] : object.kernels) programs.insert(kernel.program.get());
      for (Program *p : programs)
        for (size_t at = 0; at < p->words.size();) {
          const Inst &i = p->decode_slot(at);
          printf("%08zx %d %s\n", at * 4, i.size, print(i).c_str());
          at += i.size;
        }
    } catch (const std::exception &e) {
      fprintf(stderr, "%s: %s\n", argv[k], e.what());
      return 1;
    }
  }
}
