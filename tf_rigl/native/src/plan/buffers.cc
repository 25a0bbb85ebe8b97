#include "buffers.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace rigl::plan {
namespace {

// Before each buffer is its size, in a line of its own.
constexpr size_t kBefore = 64;
constexpr size_t kHugePage = size_t(2) << 20;

char* start_of(float* buffer) {
  return reinterpret_cast<char*>(buffer) - kBefore;
}

int64_t size_of(float* buffer) {
  int64_t floats;
  std::memcpy(&floats, start_of(buffer), sizeof floats);
  return floats;
}

float* allocate(int64_t floats) {
  if (floats > (int64_t(1) << 40)) throw std::bad_alloc();
  size_t bytes = floats * sizeof(float) + kBefore;
  const size_t alignment = bytes < kHugePage ? kBefore : kHugePage;
  bytes = (bytes + alignment - 1) / alignment * alignment;
  auto* start = static_cast<char*>(std::aligned_alloc(alignment, bytes));
  if (!start) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
  // Planes are far apart: each would need an entry of the TLB of its own.
  if (alignment == kHugePage) madvise(start, bytes, MADV_HUGEPAGE);
#endif
  std::memcpy(start, &floats, sizeof floats);
  return reinterpret_cast<float*>(start + kBefore);
}

}  // namespace

Buffers::~Buffers() {
  for (auto& place : kept_) {
    if (float* buffer = place.load()) std::free(start_of(buffer));
  }
}

float* Buffers::take(int64_t floats) {
  for (auto& place : kept_) {
    if (!place.load(std::memory_order_relaxed)) continue;
    float* buffer = place.exchange(nullptr, std::memory_order_acquire);
    if (!buffer) continue;
    if (size_of(buffer) >= floats) return buffer;
    give_back(buffer);  // for another part of the run, which needs less
  }
  return allocate(floats);
}

void Buffers::give_back(float* buffer) {
  for (auto& place : kept_) {
    float* empty = nullptr;
    if (place.compare_exchange_strong(empty, buffer, std::memory_order_release,
                                      std::memory_order_relaxed)) {
      return;
    }
  }
  std::free(start_of(buffer));
}

}  // namespace rigl::plan
