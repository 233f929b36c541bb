// Which memory a kernel may touch, and which 64-byte lines it did.
#pragma once
#include "numeric.h"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace gfxemu {

struct Wave;

// One bit for every 64-byte line of an allocation.
struct LineMap {
  u64 first_line;
  std::vector<std::atomic<u64>> words;
  LineMap(u64 lo, u64 hi) : first_line(lo >> 6), words(((hi + 63) / 64 - (lo >> 6) + 63) / 64) {}
  void mark(u64 address, u64 bytes) {
    for (u64 line = (address >> 6) - first_line; line <= ((address + bytes - 1) >> 6) - first_line; line++) {
      u64 bit = 1ull << (line & 63);
      if (!(words[line >> 6].load(std::memory_order_relaxed) & bit)) words[line >> 6].fetch_or(bit, std::memory_order_relaxed);
    }
  }
  u64 count() const {
    u64 n = 0;
    for (auto &w : words) n += (u64)__builtin_popcountll(w.load(std::memory_order_relaxed));
    return n;
  }
};

struct MemoryRange {
  u64 lo, hi;
  u64 writable_from;        // stores below it are faults
  std::shared_ptr<LineMap> read, written;  // null where lines are not counted
};

class AddressSpace {
 public:
  static constexpr u64 ReadOnly = ~0ull;
  // Ranges must not overlap.
  explicit AddressSpace(std::vector<MemoryRange> ranges);
  // The memory at an address: throws a Fault that names lane and instruction where a byte of it may not be accessed.
  u8 *access(Wave &w, u64 address, u32 bytes, bool write, int lane) const;
  u64 lines(bool written) const;
  const std::vector<MemoryRange> &ranges() const { return ranges_; }

 private:
  std::vector<MemoryRange> ranges_;
};

}  // namespace gfxemu
