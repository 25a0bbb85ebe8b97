// Convolutions of planes by dense kernels.
#ifndef TF_RIGL_NATIVE_PLAN_DENSE_PLANES_H_
#define TF_RIGL_NATIVE_PLAN_DENSE_PLANES_H_

#include "plan_kernels.h"
#include "planes.h"
#include "pointwise.h"
#include "vectors.h"

namespace {

using rigl::plan::DenseRows;

// Outputs at once: eight of AVX-512 share each load of the input, and the
// registers of others hold the sums of four.
constexpr int kRowsAtOnce = kLanes == 16 ? 8 : 4;
constexpr int kMostDenseVectors = 3;

// Adds the bias and the residual to T vectors of one output, and stores them.
template <int T>
RIGL_INLINE void end_row(Floats (&sums)[T], const Planes& planes, int row,
                         int64_t position, const Limits& limits) {
  if (planes.bias) {
    const float bias = planes.bias[row];
    for (int t = 0; t < T; t++) sums[t] += bias;
  }
  if (planes.residual) {
    const float* from =
        planes.residual + row * planes.residual_stride + position;
    for (int t = 0; t < T; t++) sums[t] += load<kLanes>(from + t * kLanes);
  }
  finish_row<T>(sums, planes, row, position, limits);
}

// Adds what places [begin, end) give to R outputs, and asks for the values of
// the next block.
template <int R, int T>
RIGL_INLINE void add_places(Floats (&sums)[R][T], const DenseRows& rows,
                            const float* __restrict in,
                            const float* __restrict values, int begin,
                            int end) {
  constexpr int kPacked = rigl::plan::kDenseRows;
  const int32_t* __restrict offsets = rows.offsets;
  for (int j = begin; j < end; j++) {
    const float* from = in + offsets[j];
    Floats loaded[T];
    for (int t = 0; t < T; t++) loaded[t] = load<kLanes>(from + t * kLanes);
    __builtin_prefetch(values + (int64_t(rows.places) + j) * kPacked, 0, 2);
    for (int r = 0; r < R; r++) {
      const float value = values[int64_t(j) * kPacked + r];
      for (int t = 0; t < T; t++) sums[r][t] += loaded[t] * value;
    }
  }
}

// Ends R outputs, or as many as there are.
template <int R, int T>
RIGL_INLINE void end_rows(Floats (&sums)[R][T], const DenseRows& rows,
                          const Planes& planes, int first, int64_t position,
                          const Limits& limits) {
#pragma GCC unroll 8
  for (int r = 0; r < R; r++) {
    if (first + r >= rows.end) return;
    end_row<T>(sums[r], planes, first + r, position, limits);
  }
}

template <int R, int T>
RIGL_INLINE void copy_sums(const Floats (&from)[R][T], Floats (&to)[R][T]) {
  for (int r = 0; r < R; r++) {
    for (int t = 0; t < T; t++) to[r][t] = from[r][t];
  }
}

// Places whose input stays in the first cache until all outputs of a block have
// read it.
constexpr int kPlacesAtOnce = 128;

// A block of outputs at T vectors, R at once. Rows that are not there are zeros
// in the values. Sums begin at zero, because GCC would make what else they begin
// with on the stack.
template <int R, int T>
RIGL_INLINE void dense_block(const DenseRows& rows, const Planes& planes,
                             int first, int64_t position,
                             const Limits& limits) {
  constexpr int kPacked = rigl::plan::kDenseRows, kParts = kPacked / R;
  const float* in = planes.in + position;
  const float* values = rows.values + int64_t(first) * rows.places;
  // The sums take longer than what is written takes to come.
  for (int row = first; row < first + kPacked && row < rows.end; row++) {
    prefetch<T, true>(planes.out + row * planes.out_stride + position);
  }

  if (kParts == 1 || rows.places <= kPlacesAtOnce) {
    for (int part = 0; part < kParts; part++) {
      Floats sums[R][T] = {};
      add_places<R, T>(sums, rows, in, values + part * R, 0, rows.places);
      end_rows<R, T>(sums, rows, planes, first + part * R, position, limits);
    }
    return;
  }
  Floats all[kParts][R][T] = {};
  for (int begin = 0; begin < rows.places; begin += kPlacesAtOnce) {
    const int end = int(smaller(begin + kPlacesAtOnce, rows.places));
    for (int part = 0; part < kParts; part++) {
      Floats sums[R][T];
      copy_sums<R, T>(all[part], sums);
      add_places<R, T>(sums, rows, in, values + part * R, begin, end);
      copy_sums<R, T>(sums, all[part]);
    }
  }
  for (int part = 0; part < kParts; part++) {
    end_rows<R, T>(all[part], rows, planes, first + part * R, position, limits);
  }
}

// Meanwhile asks for what the next tile reads: its lines are far apart, so that
// the machine does not foresee them.
template <int R, int T>
void dense_tile(const DenseRows& rows, const Planes& planes, int64_t position,
                const Limits& limits) {
  constexpr int kPacked = rigl::plan::kDenseRows;
  const float* next = planes.in + position + T * kLanes;
  const int blocks = (rows.end - rows.begin + kPacked - 1) / kPacked;
  const int share = (rows.places + blocks - 1) / blocks;
  int asked = rows.by_block ? rows.places : 0;
  for (int first = rows.begin; first < rows.end; first += kPacked) {
    const int end = int(smaller(asked + share, rows.places));
    for (; asked < end; asked++) prefetch<T, false>(next + rows.offsets[asked]);
    dense_block<R, T>(rows, planes, first, position, limits);
  }
}

// Positions, at most so many, that would take a whole vector: instead, vectors
// are of outputs.
constexpr int kFewPositions = kLanes >= 8 ? 4 : 2;

void dense_few(const DenseRows& rows, const Planes& planes, int64_t position,
               int count, const Limits& limits) {
  constexpr int kPacked = rigl::plan::kDenseRows;
  constexpr int W = kLanes < kPacked ? kLanes : kPacked;
  constexpr int P = kFewPositions, U = 2;
  const float* __restrict in = planes.in + position;

  for (int first = rows.begin; first < rows.end; first += W) {
    const float* __restrict values =
        rows.values + int64_t(first - first % kPacked) * rows.places +
        first % kPacked;
    Vector<W> sums[U][P] = {};
    int j = 0;
    for (; j + U <= rows.places; j += U) {
      for (int u = 0; u < U; u++) {
        const Vector<W> loaded = load<W>(values + int64_t(j + u) * kPacked);
        const float* from = in + rows.offsets[j + u];
        for (int p = 0; p < P; p++) sums[u][p] += loaded * from[p];
      }
    }
    if (j < rows.places) {
      const Vector<W> loaded = load<W>(values + int64_t(j) * kPacked);
      const float* from = in + rows.offsets[j];
      for (int p = 0; p < P; p++) sums[0][p] += loaded * from[p];
    }

    float found[P][W];
    for (int p = 0; p < P; p++) store<W>(found[p], sums[0][p] + sums[1][p]);
    const int here = int(smaller(W, rows.end - first));
    for (int r = 0; r < here; r++) {
      const int row = first + r;
      float* out = planes.out + row * planes.out_stride + position;
      for (int p = 0; p < count; p++) {
        float sum = found[p][r] + (planes.bias ? planes.bias[row] : 0);
        if (planes.residual) {
          sum += planes.residual[row * planes.residual_stride + position + p];
        }
        sum = larger(sum, limits.lowest);
        out[p] = sum < limits.highest ? sum : limits.highest;
      }
      if (limits.later) activate(out, count, planes.activation, planes.slope);
    }
  }
}

// All positions of some rows.
void dense_positions(const DenseRows& rows, const Planes& planes,
                     const Limits& limits) {
  const int rest = int(planes.positions % kLanes);
  const bool has_few = rest > 0 && rest <= kFewPositions;
  int64_t left = planes.positions / kLanes + (rest > 0 && !has_few);
  int64_t position = 0;
  while (left > 0) {
    const int count = int(smaller(left, kMostDenseVectors));
    switch (count) {
      case 1:
        dense_tile<kRowsAtOnce, 1>(rows, planes, position, limits);
        break;
      case 2:
        dense_tile<kRowsAtOnce, 2>(rows, planes, position, limits);
        break;
      case 3:
        dense_tile<kRowsAtOnce, 3>(rows, planes, position, limits);
        break;
    }
    position += int64_t(count) * kLanes;
    left -= count;
  }
  if (has_few) dense_few(rows, planes, position, rest, limits);
}

void dense_planes(const DenseRows& rows, const Planes& planes) {
  const Limits limits = limits_of(planes.activation);
  if (!rows.by_block) return dense_positions(rows, planes, limits);
  constexpr int kPacked = rigl::plan::kDenseRows;
  DenseRows block = rows;
  for (; block.begin < rows.end; block.begin += kPacked) {
    block.end = int(smaller(block.begin + kPacked, rows.end));
    dense_positions(block, planes, limits);
  }
}

}  // namespace

#endif  // TF_RIGL_NATIVE_PLAN_DENSE_PLANES_H_
