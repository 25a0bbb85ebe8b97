// Convolutions of planes by sparse kernels: sums of shifted runs.
#ifndef TF_RIGL_NATIVE_PLAN_PLANES_H_
#define TF_RIGL_NATIVE_PLAN_PLANES_H_

#include "plan_kernels.h"
#include "pointwise.h"
#include "vectors.h"

namespace {

using rigl::plan::Connection;
using rigl::plan::Planes;
using rigl::plan::SparseRows;

// Bounds of activations that are limits; others are computed afterwards.
struct Limits {
  float lowest = -__builtin_inff();
  float highest = __builtin_inff();
  bool later = false;
};

inline Limits limits_of(Activation activation) {
  switch (activation) {
    case Activation::kLinear:
      return {};
    case Activation::kRelu:
      return {0, __builtin_inff(), false};
    case Activation::kRelu6:
      return {0, 6, false};
    default:
      return {-__builtin_inff(), __builtin_inff(), true};
  }
}

constexpr int kLineFloats = 16;

// Asks for the lines of T vectors.
template <int T, bool kWrite>
RIGL_INLINE void prefetch(const float* from) {
  for (int i = 0; i < T * kLanes; i += kLineFloats) {
    if constexpr (kWrite) {
      __builtin_prefetch(from + i, 1);
    } else {
      __builtin_prefetch(from + i, 0, 2);
    }
  }
}

// Begins T vectors of one output. The residual may lie where the output will.
template <int T>
RIGL_INLINE void start_row(Floats (&sums)[T], const Planes& planes, int row,
                           int64_t position) {
  const float start = planes.bias ? planes.bias[row] : 0;
  if (!planes.residual) {
    for (int t = 0; t < T; t++) sums[t] = all_of(start);
    return;
  }
  const float* from = planes.residual + row * planes.residual_stride + position;
  for (int t = 0; t < T; t++) sums[t] = load<kLanes>(from + t * kLanes) + start;
}

// Limits and stores T vectors of one output.
template <int T>
RIGL_INLINE void finish_row(Floats (&sums)[T], const Planes& planes, int row,
                            int64_t position, const Limits& limits) {
  float* to = planes.out + row * planes.out_stride + position;
  const Floats lowest = all_of(limits.lowest), highest = all_of(limits.highest);
  for (int t = 0; t < T; t++) {
    store<kLanes>(to + t * kLanes, least(most(sums[t], lowest), highest));
  }
  if (limits.later) {
    activate(to, T * kLanes, planes.activation, planes.slope);
  }
}

// T vectors at one place of all rows, of one block. With few vectors each
// multiply-add would wait for the one before it, so U connections are in flight.
template <int T>
void sparse_block(const SparseRows& rows, int block, const Planes& planes,
                  int64_t position, const Limits& limits) {
  constexpr int U = T <= 2 ? 4 : T <= 5 ? 2 : 1;
  const bool is_first = block == 0, is_last = block == rows.blocks - 1;
  const float* __restrict in = planes.in + position;
  const int32_t* ptr = rows.ptr + int64_t(block) * (rows.rows + 1);
  const int32_t* order = rows.order + int64_t(block) * rows.rows;
  const Connection* connections = rows.connections;

  for (int place = rows.begin; place < rows.end; place++) {
    const int row = order[place];
    int j = ptr[place];
    const int end = ptr[place + 1];
    if (j == end && !is_first && !is_last) continue;

    Floats sums[U][T];
    float* out = planes.out + row * planes.out_stride + position;
    if (is_first) {
      start_row<T>(sums[0], planes, row, position);
    } else {
      for (int t = 0; t < T; t++) sums[0][t] = load<kLanes>(out + t * kLanes);
    }
    for (int u = 1; u < U; u++) {
      for (int t = 0; t < T; t++) sums[u][t] = Floats{};
    }

    for (; j + U <= end; j += U) {
      for (int u = 0; u < U; u++) {
        const float* from = in + connections[j + u].offset;
        const float value = connections[j + u].value;
        for (int t = 0; t < T; t++) {
          sums[u][t] += load<kLanes>(from + t * kLanes) * value;
        }
      }
    }
    for (; j < end; j++) {
      const float* from = in + connections[j].offset;
      const float value = connections[j].value;
      for (int t = 0; t < T; t++) {
        sums[0][t] += load<kLanes>(from + t * kLanes) * value;
      }
    }

    for (int u = 1; u < U; u++) {
      for (int t = 0; t < T; t++) sums[0][t] += sums[u][t];
    }
    if (is_last) {
      finish_row<T>(sums[0], planes, row, position, limits);
    } else {
      for (int t = 0; t < T; t++) store<kLanes>(out + t * kLanes, sums[0][t]);
    }
  }
}

template <int T>
void sparse_tile(const SparseRows& rows, const Planes& planes,
                 int64_t position, const Limits& limits) {
  for (int block = 0; block < rows.blocks; block++) {
    sparse_block<T>(rows, block, planes, position, limits);
  }
}

// Registers for sums: all but a few of the 32 of AVX-512, or of the 16 of others.
constexpr int kMostVectors = kLanes == 16 ? 14 : 10;

// Above eight there are only even ones.
inline int usable_vectors(int64_t wanted) {
  const int count = int(smaller(wanted, kMostVectors));
  return count > 8 ? count & ~1 : count;
}

void sparse_planes(const SparseRows& rows, const Planes& planes, int vectors) {
  const Limits limits = limits_of(planes.activation);
  int64_t left = (planes.positions + kLanes - 1) / kLanes;
  for (int64_t position = 0; left > 0;) {
    const int count = usable_vectors(smaller(left, vectors));
    switch (count) {
#define RIGL_TILE(T)                                \
  case T:                                           \
    sparse_tile<T>(rows, planes, position, limits); \
    break;
      RIGL_TILE(1)
      RIGL_TILE(2)
      RIGL_TILE(3)
      RIGL_TILE(4)
      RIGL_TILE(5)
      RIGL_TILE(6)
      RIGL_TILE(7)
      RIGL_TILE(8)
      RIGL_TILE(10)
#if defined(__AVX512F__)
      RIGL_TILE(12)
      RIGL_TILE(14)
#endif
#undef RIGL_TILE
    }
    position += int64_t(count) * kLanes;
    left -= count;
  }
}

}  // namespace

#endif  // TF_RIGL_NATIVE_PLAN_PLANES_H_
