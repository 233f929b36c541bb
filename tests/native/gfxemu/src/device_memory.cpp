#include "device_memory.h"

#include <sys/mman.h>
#include <unistd.h>

namespace gfxemu {
namespace {

constexpr u64 Page = 4096, Gap = 65536;

// From here on memory is filled by pages that are shared until they are written: caches of many gigabytes of which a test uses some blocks.
constexpr u64 SharedFrom = 1ull << 28, SharedPiece = 1ull << 24;

// A file of ones; -1 where there can be none.
int file_of_ones() {
  static const int file = [] {
    int fd = memfd_create("gfxemu-ones", 0);
    if (fd < 0 || ftruncate(fd, SharedPiece)) return -1;
    void *at = mmap(nullptr, SharedPiece, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) return -1;
    memset(at, 0xff, SharedPiece);
    munmap(at, SharedPiece);
    return fd;
  }();
  return file;
}

// Fresh pages of zeros, or of ones.
bool map_pages(u64 address, u64 bytes, u8 value) {
  int file = value ? file_of_ones() : -1;
  if (value && file < 0) return false;
  int flags = MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED | (value ? 0 : MAP_ANONYMOUS);
  return mmap((void *)address, bytes, PROT_READ | PROT_WRITE, flags, file, 0) != MAP_FAILED;
}

u64 reserve(u64 &bytes) {
  for (bytes = 1ull << 44; bytes >= 1ull << 36; bytes >>= 1) {
    void *p = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p != MAP_FAILED) return (u64)p;
  }
  return 0;
}

}  // namespace

DeviceMemory::DeviceMemory(u64 capacity, bool poison, bool count_lines) : capacity_(capacity), poison_(poison), count_lines_(count_lines) {
  u64 bytes;
  reserved_ = reserve(bytes);
  next_ = reserved_ ? reserved_ + Gap : 0;
  end_ = reserved_ + bytes;
}

u64 DeviceMemory::allocate(u64 bytes, MemoryKind kind, u64 writable_from) {
  std::lock_guard hold(lock_);
  u64 mapped = (bytes + Page - 1) & ~(Page - 1);
  if (!bytes || !next_ || mapped < bytes || next_ + mapped + Gap > end_) return 0;
  if (kind == MemoryKind::Device && used_ + bytes > capacity_) return 0;
  u64 address = next_;
  if (mprotect((void *)address, mapped, PROT_READ | PROT_WRITE)) return 0;
  next_ += mapped + Gap;
  Allocation a{address, bytes, mapped, kind, writable_from, nullptr, nullptr};
  if (count_lines_ && kind != MemoryKind::Code) {
    a.read = std::make_shared<LineMap>(address, address + bytes);
    a.written = std::make_shared<LineMap>(address, address + bytes);
  }
  // All ones: not a number as f32, f16 and bf16, and minus one as an integer.
  if (poison_ && kind == MemoryKind::Device) fill(address, bytes, 0xff);
  if (kind == MemoryKind::Device) used_ += bytes;
  allocations_.emplace(address, std::move(a));
  snapshot_.reset();
  return address;
}

void DeviceMemory::fill(u64 address, u64 bytes, u8 value) const {
  u64 end = address + bytes, from = (address + Page - 1) & ~(Page - 1);
  if (bytes >= SharedFrom && address >= reserved_ && end <= end_ && (value == 0 || value == 0xff)) {
    memset((void *)address, value, from - address);
    for (address = from; end - address >= SharedPiece && map_pages(address, SharedPiece, value);) address += SharedPiece;
  }
  memset((void *)address, value, end - address);
}

bool DeviceMemory::adopt(u64 address, u64 bytes) {
  std::lock_guard hold(lock_);
  auto next = allocations_.lower_bound(address);
  if (!bytes || (next != allocations_.end() && next->first < address + bytes)) return false;
  if (next != allocations_.begin() && (--next, next->second.address + next->second.bytes > address)) return false;
  allocations_.emplace(address, Allocation{address, bytes, 0, MemoryKind::Pinned, 0, nullptr, nullptr});
  snapshot_.reset();
  return true;
}

bool DeviceMemory::release(u64 address) {
  std::lock_guard hold(lock_);
  auto it = allocations_.find(address);
  if (it == allocations_.end()) return false;
  // Its addresses stay reserved, its pages go.
  if (it->second.mapped) mmap((void *)address, it->second.mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  if (it->second.kind == MemoryKind::Device) used_ -= it->second.bytes;
  allocations_.erase(it);
  snapshot_.reset();
  return true;
}

void DeviceMemory::set_writable_from(u64 address, u64 from) {
  std::lock_guard hold(lock_);
  allocations_.at(address).writable_from = from;
  snapshot_.reset();
}

Allocation DeviceMemory::find(u64 address) const {
  std::lock_guard hold(lock_);
  auto it = allocations_.upper_bound(address);
  if (it != allocations_.begin() && (--it, address < it->second.address + it->second.bytes)) return it->second;
  return {};
}

bool DeviceMemory::contains(const void *at, u64 bytes) const {
  u64 address = (u64)at;
  if (address + bytes <= reserved_ || address >= end_) return true;
  Allocation a = find(address);
  return a.bytes && address + bytes <= a.address + a.bytes;
}

u64 DeviceMemory::used() const {
  std::lock_guard hold(lock_);
  return used_;
}

size_t DeviceMemory::live() const {
  std::lock_guard hold(lock_);
  return allocations_.size();
}

void DeviceMemory::set_count_lines(bool on) {
  std::lock_guard hold(lock_);
  count_lines_ = on;
  snapshot_.reset();
}

std::shared_ptr<const AddressSpace> DeviceMemory::snapshot(bool fresh_lines) {
  std::lock_guard hold(lock_);
  if (snapshot_ && !(fresh_lines && count_lines_)) return snapshot_;
  std::vector<MemoryRange> ranges;
  for (auto &[address, a] : allocations_) {
    if (count_lines_ && a.kind != MemoryKind::Code) {
      a.read = std::make_shared<LineMap>(address, address + a.bytes);
      a.written = std::make_shared<LineMap>(address, address + a.bytes);
    } else a.read = a.written = nullptr;
    ranges.push_back({address, address + a.bytes, a.writable_from, a.read, a.written});
  }
  snapshot_ = std::make_shared<AddressSpace>(std::move(ranges));
  return snapshot_;
}

}  // namespace gfxemu
