// Attention of one head, and products of two computed matrices.
//
// Positions of queries are lanes: their scores with a key are a vector, and so
// are the outputs of a channel. No sum is over lanes, and nothing is transposed.
#ifndef TF_RIGL_NATIVE_PLAN_ATTEND_H_
#define TF_RIGL_NATIVE_PLAN_ATTEND_H_

#include "plan_kernels.h"
#include "pointwise.h"
#include "vectors.h"

namespace {

using rigl::plan::Attend;
using rigl::plan::PlaneProduct;

// Rows that are computed together: with two vectors each, their sums take most
// of the registers.
constexpr int kProductRows = kLanes == 16 ? 8 : 4;

// `count` of T vectors, the last of which may be in part another channel's.
template <int T>
RIGL_INLINE void store_some(float* to, const Floats (&vectors)[T],
                            int64_t count) {
  if (count >= T * kLanes) {
    for (int t = 0; t < T; t++) store<kLanes>(to + t * kLanes, vectors[t]);
    return;
  }
  float all[T * kLanes];
  for (int t = 0; t < T; t++) store<kLanes>(all + t * kLanes, vectors[t]);
  std::memcpy(to, all, count * sizeof(float));
}

// out[r] = factor · Σ a[r, d] · b[d] of R rows and T vectors.
template <int R, int T>
RIGL_INLINE void product_rows(const PlaneProduct& one, int row, int64_t count,
                              const Floats (&factor)[T]) {
  const float* a = one.a + row * one.a_row;
  const float* b = one.b;
  Floats sums[R][T] = {};
  for (int d = 0; d < one.depth; d++, a += one.a_depth, b += one.b_depth) {
    Floats from[T];
    for (int t = 0; t < T; t++) from[t] = load<kLanes>(b + t * kLanes);
    for (int r = 0; r < R; r++) {
      const float value = a[r * one.a_row];
      for (int t = 0; t < T; t++) sums[r][t] += from[t] * value;
    }
  }
  for (int r = 0; r < R; r++) {
    for (int t = 0; t < T; t++) sums[r][t] *= factor[t];
    store_some<T>(one.out + (row + r) * one.out_row, sums[r], count);
  }
}

template <int T>
RIGL_INLINE void product_of(const PlaneProduct& one, int64_t count,
                            const Floats (&factor)[T]) {
  int row = 0;
  for (; row + kProductRows <= one.rows; row += kProductRows) {
    product_rows<kProductRows, T>(one, row, count, factor);
  }
  for (; row < one.rows; row++) product_rows<1, T>(one, row, count, factor);
}

template <int T>
RIGL_INLINE void product_columns(const PlaneProduct& one, int64_t column,
                                 int64_t count) {
  Floats ones[T];
  for (int t = 0; t < T; t++) ones[t] = all_of(1);
  PlaneProduct part = one;
  part.b += column;
  part.out += column;
  product_of<T>(part, count, ones);
}

void multiply_planes(const PlaneProduct& one, int64_t columns) {
  int64_t column = 0;
  for (; column + kLanes < columns; column += 2 * kLanes) {
    product_columns<2>(one, column, columns - column);
  }
  if (column < columns) product_columns<1>(one, column, columns - column);
}

// Turns scores [keys][T · kLanes] into powers of e; returns 1 / their sums.
template <int T>
RIGL_INLINE void weigh(float* scores, int keys, Floats (&share)[T]) {
  Floats largest[T], total[T] = {};
  for (int t = 0; t < T; t++) largest[t] = load<kLanes>(scores + t * kLanes);
  for (int k = 1; k < keys; k++) {
    for (int t = 0; t < T; t++) {
      largest[t] =
          most(largest[t], load<kLanes>(scores + (k * T + t) * kLanes));
    }
  }
  for (int k = 0; k < keys; k++) {
    for (int t = 0; t < T; t++) {
      float* place = scores + (k * T + t) * kLanes;
      const Floats power = exponential(load<kLanes>(place) - largest[t]);
      store<kLanes>(place, power);
      total[t] += power;
    }
  }
  for (int t = 0; t < T; t++) share[t] = all_of(1) / total[t];
}

// Queries [first, first + count) of a head.
template <int T>
RIGL_INLINE void attend_block(const Attend& one, int64_t first,
                              int64_t count) {
  constexpr int kWidth = T * kLanes;
  const int keys =
      one.is_causal ? int(smaller(one.keys, first + kWidth)) : one.keys;
  Floats factor[T];
  for (int t = 0; t < T; t++) factor[t] = all_of(one.scale);
  product_of<T>({one.key, 1, one.key_stride, one.query + first,
                 one.query_stride, one.scores, kWidth, keys, one.key_channels},
                kWidth, factor);
  if (one.is_causal) {
    for (int64_t k = first + 1; k < keys; k++) {
      for (int64_t i = 0; i < smaller(k - first, kWidth); i++) {
        one.scores[k * kWidth + i] = -__builtin_inff();
      }
    }
  }
  weigh<T>(one.scores, keys, factor);
  product_of<T>({one.value, one.value_stride, 1, one.scores, kWidth,
                 one.out + first, one.out_stride, one.value_channels, keys},
                count, factor);
}

void attend(const Attend& one) {
  int64_t first = 0;
  for (; first + kLanes < one.queries; first += 2 * kLanes) {
    attend_block<2>(one, first, one.queries - first);
  }
  if (first < one.queries) attend_block<1>(one, first, one.queries - first);
}

}  // namespace

#endif  // TF_RIGL_NATIVE_PLAN_ATTEND_H_
