// Normalization over the channels of each position.
#ifndef TF_RIGL_NATIVE_PLAN_NORM_H_
#define TF_RIGL_NATIVE_PLAN_NORM_H_

#include "plan_kernels.h"
#include "pointwise.h"
#include "vectors.h"

namespace {

using rigl::plan::Norm;


// mean[t] = Σ function(x, t) / channels. Several sums are in flight, which also
// rounds less.
template <int T, class Function>
RIGL_INLINE void channel_means(const Norm& norm, const float* in,
                               const Function& function, Floats (&mean)[T]) {
  constexpr int U = 4;
  Floats sums[U][T] = {};
  int c = 0;
  for (; c + U <= norm.channels; c += U) {
    for (int u = 0; u < U; u++) {
      const float* from = in + (c + u) * norm.in_stride;
      for (int t = 0; t < T; t++) {
        sums[u][t] += function(load<kLanes>(from + t * kLanes), t);
      }
    }
  }
  for (; c < norm.channels; c++) {
    const float* from = in + c * norm.in_stride;
    for (int t = 0; t < T; t++) {
      sums[0][t] += function(load<kLanes>(from + t * kLanes), t);
    }
  }
  const float share = 1.0f / float(norm.channels);
  for (int t = 0; t < T; t++) {
    mean[t] = ((sums[0][t] + sums[1][t]) + (sums[2][t] + sums[3][t])) * share;
  }
}

// T vectors of positions, which may be where they are written.
template <int T>
RIGL_INLINE void normalize_positions(const Norm& norm, int64_t position) {
  const float* in = norm.in + position;
  Floats mean[T] = {}, factor[T];
  if (norm.is_centered) {
    channel_means<T>(norm, in, [](Floats x, int) { return x; }, mean);
  }
  const auto square = [&](Floats x, int t) {
    const Floats difference = x - mean[t];
    return difference * difference;
  };
  channel_means<T>(norm, in, square, factor);
  for (int t = 0; t < T; t++) {
    for (int i = 0; i < kLanes; i++) {
      factor[t][i] = 1.0f / __builtin_sqrtf(factor[t][i] + norm.epsilon);
    }
  }

  for (int c = 0; c < norm.channels; c++) {
    const float scale = norm.scale ? norm.scale[c] : 1;
    const float offset = norm.offset ? norm.offset[c] : 0;
    const float* from = in + c * norm.in_stride;
    float* to = norm.out + position + c * norm.out_stride;
    for (int t = 0; t < T; t++) {
      const Floats x = load<kLanes>(from + t * kLanes) - mean[t];
      store<kLanes>(to + t * kLanes, x * (factor[t] * scale) + offset);
    }
  }
}

// Up to 15 floats after the end of each channel are overwritten.
void normalize(const Norm& norm, int64_t begin, int64_t end) {
  int64_t position = begin;
  for (; position + 2 * kLanes <= end; position += 2 * kLanes) {
    normalize_positions<2>(norm, position);
  }
  for (; position < end; position += kLanes) {
    normalize_positions<1>(norm, position);
  }
}

}  // namespace

#endif  // TF_RIGL_NATIVE_PLAN_NORM_H_
