#include "scratch.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace rigl {
namespace {

// The start of a block that nobody uses: its own size. A line of its own, so
// that what follows is aligned.
struct alignas(64) Block {
  size_t bytes;
};

// As many as calls and tasks that run at once, at most. Without locks: a child
// process would find them as they were when it was forked.
constexpr int kKept = 32;
std::atomic<Block*> kept[kKept];

// Larger blocks go back to the system: at that size work outweighs the pages.
constexpr size_t kLargestKept = size_t(4) << 20;

Block* take_block(size_t bytes) {
  for (auto& place : kept) {
    if (!place.load(std::memory_order_relaxed)) continue;
    Block* block = place.exchange(nullptr, std::memory_order_acquire);
    if (!block) continue;
    if (block->bytes >= bytes) return block;
    std::free(block);  // too small for what is asked for now
    break;
  }

  const size_t total = (bytes + sizeof(Block) + 63) / 64 * 64;
  auto* block = static_cast<Block*>(std::aligned_alloc(64, total));
  if (!block) throw std::bad_alloc();
  block->bytes = bytes;
  return block;
}

void give_back(Block* block) {
  if (block->bytes <= kLargestKept) {
    for (auto& place : kept) {
      Block* empty = nullptr;
      if (place.compare_exchange_strong(empty, block,
                                        std::memory_order_release,
                                        std::memory_order_relaxed)) {
        return;
      }
    }
  }
  std::free(block);
}

}  // namespace

Scratch::Scratch(size_t floats) {
  data_ = reinterpret_cast<float*>(take_block(floats * sizeof(float)) + 1);
}

Scratch::~Scratch() { give_back(reinterpret_cast<Block*>(data_) - 1); }

}  // namespace rigl
