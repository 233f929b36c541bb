#include "opcodes.h"

#include "memory_ops.h"

#include <cstring>
#include <string>
#include <unordered_map>

namespace gfxemu {
namespace {

std::unordered_map<std::string_view, const OpInfo *> index_ops() {
  static const OpInfo permutes[] = {
    {"ds_permute_b32", run_lane_permute, Class::Lds, Type::U32, {Type::None, Type::None, Type::None}, 0},
    {"ds_bpermute_b32", run_lane_permute, Class::Lds, Type::U32, {Type::None, Type::None, Type::None}, 0},
    {"ds_swizzle_b32", run_lane_permute, Class::Lds, Type::U32, {Type::None, Type::None, Type::None}, 0},
  };
  std::unordered_map<std::string_view, const OpInfo *> all;
  for (OpTable table : {f32_ops(), f16_ops(), f64_ops(), integer_ops(), wide_integer_ops(), short_integer_ops(), carry_ops(), convert_ops(), division_ops(),
                        packed_ops(), dot_ops(), compare_ops(), lane_ops(), mfma_ops(), wmma_ops(), scalar_ops(), scalar_compare_ops(), control_ops(), OpTable(permutes)})
    for (const OpInfo &op : table) all.emplace(op.name, &op);
  return all;
}

// The permutes move one register of 4 bytes.
const MemoryInfo *permute_info() {
  static const MemoryInfo info{MemoryOp::Nothing, 4, false, 0, false, AtomicOp::Add, false, 0};
  return &info;
}

Opcode resolve(const std::string &name) {
  Opcode o;
  o.name = strdup(name.c_str());
  o.op = find_op(o.name);
  if (o.op && o.op->run == run_lane_permute) o.memory = permute_info();
  if (!o.op)
    if (const MemoryOpInfo *m = find_memory_op(o.name)) { o.op = &m->op; o.memory = &m->memory; }
  return o;
}

OpcodeTable build(OpcodeList list, const char *prefix) {
  OpcodeTable table;
  for (const OpcodeRun &run : list) {
    size_t number = run.first;
    for (const char *at = run.names; *at; number++) {
      const char *end = strchrnul(at, ' ');
      if (table.size() <= number) table.resize(number + 1);
      table[number] = resolve(prefix + std::string(at, end));
      at = *end ? end + 1 : end;
    }
  }
  return table;
}

OpcodeTables build_all(const OpcodeLists &l) {
  return {build(l.sop2, ""), build(l.sopk, ""), build(l.sop1, ""), build(l.sopc, ""), build(l.sopp, ""), build(l.smem, ""), build(l.vop2, ""), build(l.vop1, ""),
          build(l.vopc, ""), build(l.vop3, ""), build(l.vop3p, ""), build(l.ds, ""), build(l.flat, "flat_"), build(l.flat, "global_"), build(l.flat, "scratch_"),
          build(l.mubuf, ""), build(l.vopd, "")};
}

}  // namespace

const OpInfo *find_op(std::string_view name) {
  static const auto all = index_ops();
  auto it = all.find(name);
  return it == all.end() ? nullptr : it->second;
}

const OpcodeTables &opcode_tables(Arch arch) {
  static const OpcodeTables gfx9 = build_all(gfx9_opcodes()), gfx11 = build_all(gfx11_opcodes());
  return arch == Arch::Gfx942 ? gfx9 : gfx11;
}

}  // namespace gfxemu
