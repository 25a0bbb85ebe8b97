// Depthwise convolutions of strides 1 and 2.
#ifndef TF_RIGL_NATIVE_PLAN_DEPTHWISE_H_
#define TF_RIGL_NATIVE_PLAN_DEPTHWISE_H_

#include <type_traits>
#include <utility>

#include "depthwise_columns.h"
#include "depthwise_stride_2.h"
#include "plan_kernels.h"
#include "planes.h"
#include "vectors.h"

namespace {

using rigl::plan::Depthwise;

// Rows of the output that are computed together, as they share rows of the
// input. Nine weights and the sums of four rows need more than 16 registers.
constexpr int kDepthwiseRows = kLanes == 16 ? 4 : 2;

// What a tap reads for W columns.
template <int W, int kStride>
RIGL_INLINE Vector<W> read_tap(const float* from, int tap) {
  constexpr auto kAll = std::make_integer_sequence<int, W>();
  if constexpr (kStride == 1) return load<W>(from + tap);
  // Two taps side by side read the same two vectors.
  const float* even = from + tap / 2 * 2;
  return tap % 2 ? every_second<W, 1>(even, kAll)
                 : every_second<W, 0>(even, kAll);
}

// W columns of R rows; of the last row, so many are stored. `Weights` are
// vectors, each of one weight, or the weights themselves.
template <int W, int kStride, int kHeight, int kWidth, int R, class Weights>
RIGL_INLINE void depthwise_block(const Depthwise& here, const float* in,
                                 Weights weights, float bias, float* out,
                                 const Limits& limits, int stored) {
  const int height = kHeight ? kHeight : here.height;
  const int width = kWidth ? kWidth : here.width;
  Vector<W> sums[R];
  for (int r = 0; r < R; r++) sums[r] = Vector<W>{} + bias;
#pragma GCC unroll 16
  for (int row = 0; row < (R - 1) * kStride + height; row++) {
    const float* from = in + row * here.pitch;
#pragma GCC unroll 8
    for (int tap = 0; tap < width; tap++) {
      const Vector<W> read = read_tap<W, kStride>(from, tap);
#pragma GCC unroll 4
      for (int r = 0; r < R; r++) {
        const int tap_y = row - r * kStride;
        if (tap_y < 0 || tap_y >= height) continue;
        sums[r] += read * weights[tap_y * width + tap];
      }
    }
  }

#pragma GCC unroll 4
  for (int r = 0; r < R; r++, out += here.out_pitch) {
    if constexpr (kStride == 2) {
      sums[r] = in_order<W>(sums[r], std::make_integer_sequence<int, W>());
    }
    finish_columns<W>(sums[r], out, limits, r == R - 1 ? stored : W);
  }
}

// R rows. The last vector of a row overlaps the one before it, so that what
// follows the row is left as it is. Of rows that are shorter than a vector,
// that is the next row, which is written afterwards; after the last one there
// may be a channel of another thread.
template <int W, int kStride, int kHeight, int kWidth, int R, class Weights>
RIGL_INLINE void depthwise_rows(const Depthwise& here, const float* in,
                                Weights weights, float bias, float* out,
                                const Limits& limits, bool is_last) {
  const int last = here.columns > W ? here.columns - W : 0;
  const int stored = is_last ? stored_columns<W>(here) : W;
  for (int x = 0; x < here.columns; x += W) {
    const int first = x < last ? x : last;
    depthwise_block<W, kStride, kHeight, kWidth, R, Weights>(
        here, in + kStride * first, weights, bias, out + first, limits, stored);
  }
}

template <int W, int kStride, int kHeight, int kWidth, class Weights>
RIGL_INLINE void depthwise_channel(const Depthwise& here, const float* in,
                                   Weights weights, float bias, float* out,
                                   const Limits& limits) {
  constexpr bool kIsStride2 = kStride == 2 && kHeight == 3 && kWidth == 3;
  // Of other sizes, whether a row is read by an output is not known here.
  constexpr int kTogether = kHeight > 0 ? kDepthwiseRows : 1;
  constexpr int R = kIsStride2 ? kStride2Rows : kTogether;
  const auto compute = [&](auto rows, int y) {
    constexpr int kRows = decltype(rows)::value;
    const float* from = in + y * kStride * here.pitch;
    float* to = out + y * here.out_pitch;
    const bool is_last = y + kRows == here.rows;
    if constexpr (kIsStride2) {
      stride_2_rows<W, kRows>(here, from, weights, bias, to, limits, is_last);
    } else {
      depthwise_rows<W, kStride, kHeight, kWidth, kRows, Weights>(
          here, from, weights, bias, to, limits, is_last);
    }
  };

  int y = 0;
  for (; y + R <= here.rows; y += R) {
    compute(std::integral_constant<int, R>(), y);
  }
  for (; y < here.rows; y++) compute(std::integral_constant<int, 1>(), y);
}

template <int W, int kStride, int kHeight, int kWidth>
void depthwise_channels(const Depthwise& here, int begin, int end) {
  const Limits limits = limits_of(here.activation);
  const int taps = here.height * here.width;
  for (int number = begin; number < end; number++) {
    const int channel =
        here.multiplier == 1 ? number : number / here.multiplier;
    const float* in = here.in + channel * here.in_stride;
    const float* weights = here.weights + int64_t(number) * taps;
    const float bias = here.bias ? here.bias[number] : 0;
    float* out = here.out + number * here.out_stride;

    if constexpr (kHeight > 0) {
      Vector<W> vectors[kHeight * kWidth];
      for (int tap = 0; tap < kHeight * kWidth; tap++) {
        vectors[tap] = Vector<W>{} + weights[tap];
      }
      depthwise_channel<W, kStride, kHeight, kWidth, const Vector<W>*>(
          here, in, vectors, bias, out, limits);
    } else {
      depthwise_channel<W, kStride, 0, 0, const float*>(here, in, weights, bias,
                                                        out, limits);
    }
    if (limits.later) {
      activate(out, (here.rows - 1) * here.out_pitch + here.columns,
               here.activation, here.slope);
    }
  }
}

template <int W, int kStride>
void depthwise_by(const Depthwise& here, int begin, int end) {
  if (here.height == 3 && here.width == 3) {
    return depthwise_channels<W, kStride, 3, 3>(here, begin, end);
  }
  if (here.height == 5 && here.width == 5) {
    return depthwise_channels<W, kStride, 5, 5>(here, begin, end);
  }
  if constexpr (kStride > 1) {
    depthwise_channels<W, kStride, 0, 0>(here, begin, end);
  }
}

template <int W>
void depthwise_of(const Depthwise& here, int begin, int end) {
  if (here.stride == 1) return depthwise_by<W, 1>(here, begin, end);
  depthwise_by<W, 2>(here, begin, end);
}

void depthwise(const Depthwise& here, int begin, int end) {
  // Narrow images do not fill the widest vectors.
  constexpr int kNarrow = kLanes > 8 ? kLanes / 2 : kLanes;
  if (here.columns <= kNarrow) return depthwise_of<kNarrow>(here, begin, end);
  depthwise_of<kLanes>(here, begin, end);
}

}  // namespace

#endif  // TF_RIGL_NATIVE_PLAN_DEPTHWISE_H_
