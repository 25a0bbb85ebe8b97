// Depthwise convolutions of stride 2 by 3 × 3.
//
// The third tap of a row reads what the first one reads a column further. What
// it adds is summed apart, and moved by a column once for all rows of the
// window: a row of the input takes two loads and two shuffles, where taps that
// are read one by one take four and three.
#ifndef TF_RIGL_NATIVE_PLAN_DEPTHWISE_STRIDE_2_H_
#define TF_RIGL_NATIVE_PLAN_DEPTHWISE_STRIDE_2_H_

#include <utility>

#include "depthwise_columns.h"
#include "plan_kernels.h"
#include "planes.h"
#include "vectors.h"

namespace {

using rigl::plan::Depthwise;

// Rows of the output that are computed together. The registers of AVX2 hold no
// more, and with AVX-512 more gain nothing.
constexpr int kStride2Rows = 2;

// The lanes from the second on, then the first of the vector that follows.
template <int W, int... Lane>
RIGL_INLINE Vector<W> moved(Vector<W> vector, Vector<W> following,
                            std::integer_sequence<int, Lane...>) {
#if defined(__clang__)
  return __builtin_shufflevector(vector, following, (Lane + 1)...);
#else
  typedef int32_t Places __attribute__((vector_size(W * 4)));
  return __builtin_shuffle(vector, following, Places{(Lane + 1)...});
#endif
}

// Sums of W columns of R rows: of the first two taps, and of the third, which
// belong one column further to the left.
template <int W, int R>
struct Stride2Sums {
  Vector<W> near[R];
  Vector<W> far[R];
};

template <int W, int R>
RIGL_INLINE Stride2Sums<W, R> stride_2_sums(const Depthwise& here,
                                            const float* in,
                                            const Vector<W>* weights,
                                            float bias) {
  constexpr auto kAll = std::make_integer_sequence<int, W>();
  Stride2Sums<W, R> sums;
  for (int r = 0; r < R; r++) {
    sums.near[r] = Vector<W>{} + bias;
    sums.far[r] = Vector<W>{};
  }

#pragma GCC unroll 16
  for (int row = 0; row < 2 * R + 1; row++) {
    const float* from = in + row * here.pitch;
    const Vector<W> even = every_second<W, 0>(from, kAll);
    const Vector<W> odd = every_second<W, 1>(from, kAll);
#pragma GCC unroll 4
    for (int r = 0; r < R; r++) {
      const int tap_y = row - 2 * r;
      if (tap_y < 0 || tap_y > 2) continue;
      const Vector<W>* taps = weights + 3 * tap_y;
      sums.near[r] += even * taps[0] + odd * taps[1];
      sums.far[r] += even * taps[2];
    }
  }

  for (int r = 0; r < R; r++) {
    sums.near[r] = in_order<W>(sums.near[r], kAll);
    sums.far[r] = in_order<W>(sums.far[r], kAll);
  }
  return sums;
}

// R rows. The second vector of a row overlaps the first if their number is not
// a whole one, so that what follows the row is left as it is. Of rows that are
// shorter than a vector, that is the next row, which is written afterwards.
template <int W, int R>
RIGL_INLINE void stride_2_rows(const Depthwise& here, const float* in,
                               const Vector<W>* weights, float bias, float* out,
                               const Limits& limits, bool is_last) {
  const int stored = is_last ? stored_columns<W>(here) : W;
  const auto finish = [&](const Stride2Sums<W, R>& sums,
                          const Stride2Sums<W, R>& following, float* to) {
#pragma GCC unroll 4
    for (int r = 0; r < R; r++, to += here.out_pitch) {
      const Vector<W> far = moved<W>(sums.far[r], following.far[r],
                                     std::make_integer_sequence<int, W>());
      finish_columns<W>(sums.near[r] + far, to, limits,
                        r == R - 1 ? stored : W);
    }
  };

  auto sums = stride_2_sums<W, R>(here, in, weights, bias);
  int x = 0;
  const int ragged = here.columns % W;
  for (int next = ragged ? ragged : W; next + W <= here.columns; next += W) {
    const auto following =
        stride_2_sums<W, R>(here, in + 2 * next, weights, bias);
    finish(sums, following, out + x);
    sums = following;
    x = next;
  }

  // Beyond the last column, one element is read.
  Stride2Sums<W, R> beyond{};
  if (here.columns >= W) {
    const float* from = in + 2 * here.columns;
    for (int r = 0; r < R; r++) {
      for (int tap_y = 0; tap_y < 3; tap_y++) {
        beyond.far[r][0] +=
            from[(2 * r + tap_y) * here.pitch] * weights[3 * tap_y + 2][0];
      }
    }
  }
  finish(sums, beyond, out + x);
}

}  // namespace

#endif  // TF_RIGL_NATIVE_PLAN_DEPTHWISE_STRIDE_2_H_
