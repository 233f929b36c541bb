#include "address_space.h"

#include "wave.h"

#include <algorithm>

namespace gfxemu {

AddressSpace::AddressSpace(std::vector<MemoryRange> ranges) : ranges_(std::move(ranges)) {
  std::sort(ranges_.begin(), ranges_.end(), [](auto &a, auto &b) { return a.lo < b.lo; });
}

u8 *AddressSpace::access(Wave &w, u64 address, u32 bytes, bool write, int lane) const {
  const MemoryRange *r = w.last_range < ranges_.size() ? &ranges_[w.last_range] : nullptr;
  if (!r || address < r->lo || address + bytes > r->hi || address + bytes < address) {
    auto after = std::upper_bound(ranges_.begin(), ranges_.end(), address, [](u64 a, auto &b) { return a < b.lo; });
    r = after == ranges_.begin() ? nullptr : &*(after - 1);
    if (!r || address + bytes > r->hi || address + bytes < address) {
      std::string near;
      if (r && address - r->hi < 1 << 20) near = format("; %llu bytes behind the end of an allocation of %llu bytes", (unsigned long long)(address - r->hi), (unsigned long long)(r->hi - r->lo));
      if (r && address < r->hi) near = format("; the last byte is %llu behind the end of an allocation of %llu bytes", (unsigned long long)(address + bytes - r->hi), (unsigned long long)(r->hi - r->lo));
      if (near.empty() && after != ranges_.end() && after->lo - address < 1 << 20)
        near = format("; %llu bytes before an allocation of %llu bytes", (unsigned long long)(after->lo - address), (unsigned long long)(after->hi - after->lo));
      w.fail(700, format("lane %d %s %u bytes at 0x%llx, outside of every live allocation%s", lane, write ? "writes" : "reads", bytes, (unsigned long long)address, near.c_str()));
    }
    w.last_range = (u32)(r - ranges_.data());
  }
  if (write && address < r->writable_from) w.fail(700, format("lane %d writes %u bytes at 0x%llx, which is read-only (code or kernel arguments)", lane, bytes, (unsigned long long)address));
  if (r->read) (write ? r->written : r->read)->mark(address, bytes);
  return (u8 *)address;
}

u64 AddressSpace::lines(bool written) const {
  u64 n = 0;
  for (auto &r : ranges_)
    if (r.read) n += (written ? r.written : r.read)->count();
  return n;
}

}  // namespace gfxemu
