// A block of the dense gradient, in registers, and which of it is large.
#ifndef TF_RIGL_NATIVE_GRADIENT_BLOCK_H_
#define TF_RIGL_NATIVE_GRADIENT_BLOCK_H_

#include "kernels.h"
#include "vectors.h"

namespace {

// SSE2 and AVX2 have 16 registers, AVX-512 and NEON 32.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kBlockVectors = 4;
#else
constexpr int kBlockVectors = 2;
#endif

void gradient_block(const float* __restrict x, const float* __restrict dy,
                    int64_t batch, bool add, float* __restrict out) {
  constexpr int R = rigl::kBlockInputs, T = kBlockVectors, W = kLanes;
  static_assert(rigl::kBlockOutputs % (T * W) == 0);

  for (int first = 0; first < rigl::kBlockOutputs; first += T * W) {
    Vector<W> sums[R][T] = {};
    for (int64_t b = 0; b < batch; b++) {
      Vector<W> outputs[T];
      for (int t = 0; t < T; t++) {
        outputs[t] = load<W>(dy + b * rigl::kBlockOutputs + first + t * W);
      }
      for (int r = 0; r < R; r++) {
        for (int t = 0; t < T; t++) sums[r][t] += outputs[t] * x[b * R + r];
      }
    }
    for (int r = 0; r < R; r++) {
      for (int t = 0; t < T; t++) {
        float* to = out + r * rigl::kBlockOutputs + first + t * W;
        store<W>(to, add ? load<W>(to) + sums[r][t] : sums[r][t]);
      }
    }
  }
}

// Magnitudes of floats are ordered as their bits are, with NaN above infinity.
uint64_t at_least(const float* row, int32_t key) {
  constexpr int W = kLanes;
  uint64_t bits = 0;
  for (int first = 0; first < rigl::kBlockOutputs; first += W) {
    const Integers<W> keys =
        *reinterpret_cast<const Integers<W>*>(row + first) & 0x7fffffff;
    bits |= sign_bits<W>(keys >= key) << first;
  }
  return bits;
}

}  // namespace

#endif  // TF_RIGL_NATIVE_GRADIENT_BLOCK_H_
