#include "code_object.h"

#include "fault.h"
#include "msgpack.h"

#include <elf.h>

namespace gfxemu {
namespace {

constexpr int InvalidImage = 200, NoBinary = 209, OutOfMemory = 2;
constexpr u32 NoteMetadata = 32;

// The entry of an offload bundle for this architecture.
const u8 *unbundle(const u8 *image, Arch arch) {
  static const char magic[] = "__CLANG_OFFLOAD_BUNDLE__";
  if (memcmp(image, magic, 24)) return image;
  u64 count;
  memcpy(&count, image + 24, 8);
  const u8 *at = image + 32;
  std::string seen;
  for (u64 k = 0; k < count; k++) {
    u64 head[3];
    memcpy(head, at, sizeof head);
    std::string target((const char *)at + 24, head[2]);
    at += 24 + head[2];
    if (target.find(std::string("--") + arch_name(arch)) != std::string::npos && head[1]) return image + head[0];
    seen += seen.empty() ? target : ", " + target;
  }
  throw Fault(NoBinary, format("the bundle holds %s, nothing for %s", seen.c_str(), arch_name(arch)));
}

}  // namespace

const char *arch_name(Arch arch) { return arch == Arch::Gfx942 ? "gfx942" : "gfx1100"; }

CodeObject::CodeObject(const u8 *image, Arch arch, DeviceMemory &memory) : memory_(memory) {
  try {
    load(unbundle(image, arch), arch);
  } catch (const Fault &) {
    for (u64 a : allocations_) memory_.release(a);
    throw;
  } catch (const std::exception &e) {
    for (u64 a : allocations_) memory_.release(a);
    throw Fault(InvalidImage, e.what());
  }
}

CodeObject::~CodeObject() {
  for (u64 a : allocations_) memory_.release(a);
}

void CodeObject::load(const u8 *elf, Arch arch) {
  Elf64_Ehdr header;
  memcpy(&header, elf, sizeof header);
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) || header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != 224)
    throw Fault(InvalidImage, "the image is neither an AMDGPU ELF file nor an offload bundle");
  u32 machine = header.e_flags & 0xff, wanted = arch == Arch::Gfx942 ? 0x4c : 0x41;
  if (machine != wanted) throw Fault(NoBinary, format("the code object is for machine 0x%x, the device is %s (0x%x)", machine, arch_name(arch), wanted));
  std::vector<Elf64_Phdr> segments(header.e_phnum);
  memcpy(segments.data(), elf + header.e_phoff, sizeof(Elf64_Phdr) * header.e_phnum);

  for (auto &s : segments)
    if (s.p_type == PT_LOAD) bytes_ = std::max(bytes_, s.p_vaddr + s.p_memsz);
  base_ = memory_.allocate(bytes_, MemoryKind::Code, AddressSpace::ReadOnly);
  if (!base_) throw Fault(OutOfMemory, "no room for the code object");
  allocations_.push_back(base_);
  for (auto &s : segments)
    if (s.p_type == PT_LOAD) memcpy((void *)(base_ + s.p_vaddr), elf + s.p_offset, s.p_filesz);

  // Variables come behind code and constants.
  for (auto &s : segments)
    if (s.p_type == PT_LOAD && s.p_flags & PF_W && !(s.p_flags & PF_X)) { memory_.set_writable_from(base_, base_ + s.p_vaddr); break; }
  const Elf64_Phdr *dynamic = nullptr;
  for (auto &s : segments) {
    if (s.p_type == PT_DYNAMIC) dynamic = &s;
    if (s.p_type == PT_LOAD && s.p_flags & PF_X) {
      std::vector<u32> words(s.p_filesz / 4);
      memcpy(words.data(), elf + s.p_offset, words.size() * 4);
      programs_.push_back(std::make_shared<Program>(arch, base_ + s.p_vaddr, std::move(words)));
    }
  }
  if (!dynamic) throw Fault(InvalidImage, "the code object has no dynamic section");
  relocate(elf, base_ + dynamic->p_vaddr, dynamic->p_memsz);
  for (auto &s : segments)
    if (s.p_type == PT_NOTE) read_metadata(elf + s.p_offset, s.p_filesz);
}

void CodeObject::relocate(const u8 *, u64 dynamic, u64 dynamic_bytes) {
  u64 symbols = 0, names = 0, hash = 0, rela = 0, rela_bytes = 0;
  for (u64 at = dynamic; at + sizeof(Elf64_Dyn) <= dynamic + dynamic_bytes; at += sizeof(Elf64_Dyn)) {
    Elf64_Dyn d;
    memcpy(&d, (void *)at, sizeof d);
    if (d.d_tag == DT_SYMTAB) symbols = base_ + d.d_un.d_ptr;
    if (d.d_tag == DT_STRTAB) names = base_ + d.d_un.d_ptr;
    if (d.d_tag == DT_HASH) hash = base_ + d.d_un.d_ptr;
    if (d.d_tag == DT_RELA) rela = base_ + d.d_un.d_ptr;
    if (d.d_tag == DT_RELASZ) rela_bytes = d.d_un.d_val;
  }
  if (!symbols || !names || !hash) throw Fault(InvalidImage, "the code object has no dynamic symbols");
  for (u64 at = rela; at < rela + rela_bytes; at += sizeof(Elf64_Rela)) {
    Elf64_Rela r;
    memcpy(&r, (void *)at, sizeof r);
    Elf64_Sym s;
    memcpy(&s, (void *)(symbols + ELF64_R_SYM(r.r_info) * sizeof s), sizeof s);
    u64 target = base_ + r.r_offset, value = base_ + s.st_value + (u64)r.r_addend;
    switch (ELF64_R_TYPE(r.r_info)) {
      case 1: { u32 low = (u32)value; memcpy((void *)target, &low, 4); break; }           // ABS32_LO
      case 2: { u32 high = (u32)(value >> 32); memcpy((void *)target, &high, 4); break; }  // ABS32_HI
      case 3: memcpy((void *)target, &value, 8); break;                                    // ABS64
      case 13: value = base_ + (u64)r.r_addend; memcpy((void *)target, &value, 8); break;  // RELATIVE64
      default: throw Fault(InvalidImage, format("relocation %u is not known", (u32)ELF64_R_TYPE(r.r_info)));
    }
  }
  u32 count;
  memcpy(&count, (void *)(hash + 4), 4);
  read_symbols(symbols, names, count);
}

void CodeObject::read_symbols(u64 table, u64 names, u64 count) {
  for (u64 k = 1; k < count; k++) {
    Elf64_Sym s;
    memcpy(&s, (void *)(table + k * sizeof s), sizeof s);
    std::string name = (const char *)(names + s.st_name);
    if (ELF64_ST_TYPE(s.st_info) != STT_OBJECT || s.st_shndx == SHN_UNDEF) continue;
    if (name.ends_with(".kd")) add_kernel(name.substr(0, name.size() - 3), base_ + s.st_value);
    else globals[name] = {base_ + s.st_value, s.st_size};
  }
}

// The 64 bytes of a kernel descriptor.
void CodeObject::add_kernel(const std::string &name, u64 at) {
  auto word = [&](u64 offset) { u32 v; memcpy(&v, (void *)(at + offset), 4); return v; };
  Kernel k;
  k.name = name;
  k.lds_bytes = word(0);
  k.scratch_bytes = word(4);
  k.kernarg_bytes = word(8);
  i64 offset;
  memcpy(&offset, (void *)(at + 16), 8);
  k.entry = at + (u64)offset;
  k.rsrc3 = word(44);
  k.rsrc1 = word(48);
  k.rsrc2 = word(52);
  k.properties = word(56) & 0xffff;
  k.preload = word(56) >> 16;
  for (auto &p : programs_)
    if (k.entry >= p->base && k.entry < p->base + 4 * p->words.size()) k.program = p;
  if (!k.program) throw Fault(InvalidImage, "kernel " + name + " starts outside of the code");
  k.wave_size = k.program->arch == Arch::Gfx1100 && k.properties >> 10 & 1 ? 32 : 64;
  kernels[name] = std::move(k);
}

void CodeObject::read_metadata(const u8 *note, u64 bytes) {
  for (u64 at = 0; at + 12 <= bytes;) {
    u32 head[3];
    memcpy(head, note + at, sizeof head);
    u64 text = at + 12 + ((head[0] + 3) & ~3u);
    if (head[2] == NoteMetadata && head[0] == 7 && !memcmp(note + at + 12, "AMDGPU", 7) && text + head[1] <= bytes) {
      MsgValue root = read_msgpack(note + text, head[1]);
      for (auto &m : root["amdhsa.kernels"].items) {
        std::string symbol = m[".symbol"].text;
        if (symbol.ends_with(".kd")) symbol.resize(symbol.size() - 3);
        auto it = kernels.find(symbol);
        if (it == kernels.end()) continue;
        Kernel &k = it->second;
        k.kernarg_bytes = (u32)m[".kernarg_segment_size"].number;
        k.vgprs = (u32)m[".vgpr_count"].number;
        k.agprs = (u32)m[".agpr_count"].number;
        k.sgprs = (u32)m[".sgpr_count"].number;
        k.sgpr_spills = (u32)m[".sgpr_spill_count"].number;
        k.vgpr_spills = (u32)m[".vgpr_spill_count"].number;
        if (m[".max_flat_workgroup_size"].number) k.max_group = (u32)m[".max_flat_workgroup_size"].number;
        if (m[".uses_dynamic_stack"].number) k.scratch_bytes = std::max(k.scratch_bytes, 16384u);
        auto &required = m[".reqd_workgroup_size"].items;
        for (size_t d = 0; d < required.size() && d < 3; d++) k.required_group[d] = (u32)required[d].number;
        for (auto &a : m[".args"].items)
          k.arguments.push_back({(u32)a[".offset"].number, (u32)a[".size"].number, a[".value_kind"].text});
      }
    }
    at = text + ((head[1] + 3) & ~3u);
  }
}

}  // namespace gfxemu
