// Vectors as wide as the registers of the level that is compiled.
//
// Wider ones would live on the stack: products then take twenty times as long.
// Everything is in an anonymous namespace, because the linker would otherwise
// take one level's copy of a function for all of them.
#ifndef TF_RIGL_NATIVE_VECTORS_H_
#define TF_RIGL_NATIVE_VECTORS_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#define RIGL_INLINE __attribute__((always_inline)) inline

namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

// Aligned as floats are: batches and widths of layers are arbitrary.
template <int W>
struct VectorOf {
  typedef float Floats
      __attribute__((vector_size(W * 4), aligned(4), may_alias));
  typedef int32_t Integers
      __attribute__((vector_size(W * 4), aligned(4), may_alias));
};

template <int W>
using Vector = typename VectorOf<W>::Floats;

template <int W>
using Integers = typename VectorOf<W>::Integers;

template <int W>
RIGL_INLINE Vector<W> load(const float* from) {
  return *reinterpret_cast<const Vector<W>*>(from);
}

template <int W>
RIGL_INLINE void store(float* to, Vector<W> vector) {
  *reinterpret_cast<Vector<W>*>(to) = vector;
}

template <int W, int S, int... Lane>
RIGL_INLINE void exchange_lanes(Vector<W> a, Vector<W> b, Vector<W>& low,
                                Vector<W>& high,
                                std::integer_sequence<int, Lane...>) {
#if defined(__clang__)
  low = __builtin_shufflevector(a, b, ((Lane & S) ? W + Lane - S : Lane)...);
  high = __builtin_shufflevector(a, b, ((Lane & S) ? W + Lane : Lane + S)...);
#else
  // Before GCC 12 there is only this one.
  typedef int32_t Places __attribute__((vector_size(W * 4)));
  low = __builtin_shuffle(a, b, Places{((Lane & S) ? W + Lane - S : Lane)...});
  high = __builtin_shuffle(a, b, Places{((Lane & S) ? W + Lane : Lane + S)...});
#endif
}

// Swaps blocks of S lanes: `low` gets the even blocks of a, and at the odd
// places the even blocks of b; `high` gets the odd blocks of both likewise.
template <int W, int S>
RIGL_INLINE void exchange(Vector<W> a, Vector<W> b, Vector<W>& low,
                          Vector<W>& high) {
  exchange_lanes<W, S>(a, b, low, high,
                       std::make_integer_sequence<int, W>());
}

// Transposes a matrix of W × W in registers, by halves, quarters and so on.
template <int W, int S = W / 2>
RIGL_INLINE void transpose(Vector<W> (&rows)[W]) {
  for (int i = 0; i < W; i++) {
    if (i & S) continue;
    Vector<W> low, high;
    exchange<W, S>(rows[i], rows[i + S], low, high);
    rows[i] = low;
    rows[i + S] = high;
  }
  if constexpr (S > 1) transpose<W, S / 2>(rows);
}

// Sums the lanes of W vectors: lane i of the result is the sum of rows[i].
// W sums together take as many steps as one alone.
template <int W, int S = W / 2>
RIGL_INLINE Vector<W> sum_lanes(Vector<W> (&rows)[W]) {
  for (int i = 0; i < S; i++) {
    Vector<W> low, high;
    exchange<W, S>(rows[i], rows[i + S], low, high);
    rows[i] = low + high;
  }
  if constexpr (S > 1) {
    return sum_lanes<W, S / 2>(rows);
  } else {
    return rows[0];
  }
}

template <int W>
RIGL_INLINE float sum(Vector<W> vector) {
  float total = 0;
  for (int i = 0; i < W; i++) total += vector[i];
  return total;
}

// Bit i tells whether lane i is negative, as true is in a comparison.
template <int W>
RIGL_INLINE uint64_t sign_bits(Integers<W> lanes) {
#if defined(__AVX512F__)
  if constexpr (W == 16) return _mm512_movepi32_mask((__m512i)lanes);
#endif
#if defined(__AVX__)
  if constexpr (W == 8) return _mm256_movemask_ps((__m256)lanes);
#endif
#if defined(__SSE2__)
  if constexpr (W == 4) return _mm_movemask_ps((__m128)lanes);
#endif
  uint64_t bits = 0;
  for (int i = 0; i < W; i++) bits |= uint64_t(lanes[i] < 0) << i;
  return bits;
}

}  // namespace

#endif  // TF_RIGL_NATIVE_VECTORS_H_
