// What depthwise convolutions of all sizes and strides do with columns of a row:
// take every second one of the input, limit sums, and store them.
#ifndef TF_RIGL_NATIVE_PLAN_DEPTHWISE_COLUMNS_H_
#define TF_RIGL_NATIVE_PLAN_DEPTHWISE_COLUMNS_H_

#include <cstring>
#include <utility>

#include "plan_kernels.h"
#include "planes.h"
#include "vectors.h"

namespace {

using rigl::plan::Depthwise;

// Every second element of 2 W, but in an order that takes one instruction: from
// each four of the first half two, then two of the second half.
template <int W, int kFirst, int... Lane>
RIGL_INLINE Vector<W> every_second(const float* from,
                                   std::integer_sequence<int, Lane...>) {
  const Vector<W> a = load<W>(from), b = load<W>(from + W);
#if defined(__clang__)
  return __builtin_shufflevector(
      a, b, ((Lane & 2 ? W : 0) + Lane / 4 * 4 + 2 * (Lane & 1) + kFirst)...);
#else
  typedef int32_t Places __attribute__((vector_size(W * 4)));
  return __builtin_shuffle(
      a, b,
      Places{((Lane & 2 ? W : 0) + Lane / 4 * 4 + 2 * (Lane & 1) + kFirst)...});
#endif
}

// Puts what `every_second` has taken in order.
template <int W, int... Lane>
RIGL_INLINE Vector<W> in_order(Vector<W> vector,
                               std::integer_sequence<int, Lane...>) {
#if defined(__clang__)
  return __builtin_shufflevector(
      vector, vector,
      (Lane % (W / 2) / 2 * 4 + Lane % 2 + (Lane < W / 2 ? 0 : 2))...);
#else
  typedef int32_t Places __attribute__((vector_size(W * 4)));
  return __builtin_shuffle(
      vector,
      Places{(Lane % (W / 2) / 2 * 4 + Lane % 2 + (Lane < W / 2 ? 0 : 2))...});
#endif
}

// How many columns of the last row are stored. After it there may be a channel
// of another thread, and not enough room for a vector.
template <int W>
RIGL_INLINE int stored_columns(const Depthwise& here) {
  const int64_t room = here.out_stride - (here.rows - 1) * here.out_pitch;
  return here.columns < W && room < W ? here.columns : W;
}

// Limits W sums, and stores so many.
template <int W>
RIGL_INLINE void finish_columns(Vector<W> sums, float* out,
                                const Limits& limits, int stored) {
  const Vector<W> lowest = Vector<W>{} + limits.lowest;
  const Vector<W> highest = Vector<W>{} + limits.highest;
  sums = sums > lowest ? sums : lowest;
  sums = sums < highest ? sums : highest;
  if (stored < W) {
    float rest[W];
    store<W>(rest, sums);
    std::memcpy(out, rest, stored * sizeof(float));
  } else {
    store<W>(out, sums);
  }
}

}  // namespace

#endif  // TF_RIGL_NATIVE_PLAN_DEPTHWISE_COLUMNS_H_
