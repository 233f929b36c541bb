// The device's memory: allocations at addresses that are never used twice, with unmapped gaps between them.
#pragma once
#include "address_space.h"

#include <map>
#include <mutex>

namespace gfxemu {

enum class MemoryKind : u8 { Device, Pinned, Code };

struct Allocation {
  u64 address, bytes, mapped;
  MemoryKind kind;
  u64 writable_from;        // an address; AddressSpace::ReadOnly where kernels may not write at all
  std::shared_ptr<LineMap> read, written;
};

class DeviceMemory {
 public:
  explicit DeviceMemory(u64 capacity, bool poison, bool count_lines);
  // 0 when there is no room.
  u64 allocate(u64 bytes, MemoryKind kind, u64 writable_from = 0);
  void set_writable_from(u64 address, u64 from);
  // Takes memory of the program's own in, for kernels to reach; it must not overlap what is there.
  bool adopt(u64 address, u64 bytes);
  bool release(u64 address);
  // The allocation that holds an address; its bytes are 0 where there is none.
  Allocation find(u64 address) const;
  // Whether all of a range is host memory that is none of ours, or inside of one allocation.
  bool contains(const void *at, u64 bytes) const;
  u64 capacity() const { return capacity_; }
  u64 used() const;
  std::shared_ptr<const AddressSpace> snapshot(bool fresh_lines);
  size_t live() const;
  // Sets every byte.
  void fill(u64 address, u64 bytes, u8 value) const;
  bool poisons() const { return poison_; }
  void set_poison(bool on) { poison_ = on; }
  void set_count_lines(bool on);
  void set_capacity(u64 bytes) { capacity_ = bytes; }

 private:
  mutable std::mutex lock_;
  u64 capacity_, used_ = 0;
  bool poison_, count_lines_;
  u64 reserved_ = 0, next_ = 0, end_ = 0;
  std::map<u64, Allocation> allocations_;
  std::shared_ptr<const AddressSpace> snapshot_;
};

}  // namespace gfxemu
