// A code object: loaded into device memory, its kernels described by descriptor and metadata.
#pragma once
#include "device_memory.h"
#include "program.h"

#include <map>
#include <memory>
#include <string>

namespace gfxemu {

struct KernelArgument {
  u32 offset, size;
  std::string kind;         // value_kind of the metadata
  bool hidden() const { return kind.starts_with("hidden_"); }
};

struct Kernel {
  std::string name;
  std::shared_ptr<Program> program;
  u64 entry = 0;
  u32 lds_bytes = 0, scratch_bytes = 0, kernarg_bytes = 0;
  u32 wave_size = 64, vgprs = 0, agprs = 0, sgprs = 0, sgpr_spills = 0, vgpr_spills = 0, max_group = 1024;
  u32 required_group[3] = {};
  u32 rsrc1 = 0, rsrc2 = 0, rsrc3 = 0, properties = 0, preload = 0;
  std::vector<KernelArgument> arguments;
};

struct Global { u64 address, bytes; };

class CodeObject {
 public:
  // Throws a Fault with the error that hipModuleLoadData answers. The image may be an ELF file or an offload bundle that holds one for `arch`.
  CodeObject(const u8 *image, Arch arch, DeviceMemory &memory);
  ~CodeObject();
  CodeObject(const CodeObject &) = delete;

  std::map<std::string, Kernel> kernels;
  std::map<std::string, Global> globals;

 private:
  void load(const u8 *elf, Arch arch);
  void relocate(const u8 *elf, u64 dynamic, u64 dynamic_bytes);
  void read_symbols(u64 table, u64 names, u64 count);
  void read_metadata(const u8 *note, u64 bytes);
  void add_kernel(const std::string &name, u64 descriptor);

  DeviceMemory &memory_;
  u64 base_ = 0, low_ = 0, bytes_ = 0;
  std::vector<u64> allocations_;
  std::vector<std::shared_ptr<Program>> programs_;
};

const char *arch_name(Arch arch);

}  // namespace gfxemu
