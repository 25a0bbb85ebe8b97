// Depthwise convolutions of stride 2, of one channel.
#ifndef TF_RIGL_NATIVE_PLAN_HALVING_H_
#define TF_RIGL_NATIVE_PLAN_HALVING_H_

#include <cstring>
#include <utility>

#include "plan_kernels.h"
#include "planes.h"
#include "vectors.h"

namespace {

using rigl::plan::Halving;

// Every second lane of both, from the first or the second on.
template <int kFirst, int... Lane>
RIGL_INLINE Floats second_lanes(Floats a, Floats b,
                                std::integer_sequence<int, Lane...>) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, (2 * Lane + kFirst)...);
#else
  typedef int32_t Places __attribute__((vector_size(kLanes * 4)));
  return __builtin_shuffle(a, b, Places{(2 * Lane + kFirst)...});
#endif
}

template <int kFirst>
RIGL_INLINE Floats every_second(const float* from) {
  return second_lanes<kFirst>(load<kLanes>(from), load<kLanes>(from + kLanes),
                              std::make_integer_sequence<int, kLanes>());
}

// Two taps side by side read the same two vectors. Sizes that are known, or 0.
template <int kHeight, int kWidth>
RIGL_INLINE void halve_all(const Halving& here) {
  const int height = kHeight ? kHeight : here.height;
  const int width = kWidth ? kWidth : here.width;
  const Limits limits = limits_of(here.activation);
  const Floats lowest = all_of(limits.lowest), highest = all_of(limits.highest);

  for (int y = 0; y < here.rows; y++) {
    float* out = here.out + y * here.out_pitch;
    for (int x = 0; x < here.columns; x += kLanes) {
      const float* weight = here.weights;
      Floats sum = all_of(here.bias);
      for (int tap_y = 0; tap_y < height; tap_y++, weight += width) {
        const float* from = here.in + (2 * y + tap_y) * here.pitch + 2 * x;
        int tap = 0;
        for (; tap + 2 <= width; tap += 2) {
          sum += every_second<0>(from + tap) * weight[tap];
          sum += every_second<1>(from + tap) * weight[tap + 1];
        }
        if (tap < width) sum += every_second<0>(from + tap) * weight[tap];
      }
      sum = least(most(sum, lowest), highest);
      if (x + kLanes > here.columns && y == here.rows - 1) {
        // What is after the last row may be of another thread.
        float rest[kLanes];
        store<kLanes>(rest, sum);
        std::memcpy(out + x, rest, (here.columns - x) * sizeof(float));
      } else {
        store<kLanes>(out + x, sum);
      }
    }
  }
  if (limits.later) {
    activate(here.out, (here.rows - 1) * here.out_pitch + here.columns,
             here.activation, here.slope);
  }
}

void halve(const Halving& here) {
  if (here.height == 3 && here.width == 3) return halve_all<3, 3>(here);
  if (here.height == 5 && here.width == 5) return halve_all<5, 5>(here);
  halve_all<0, 0>(here);
}

}  // namespace

#endif  // TF_RIGL_NATIVE_PLAN_HALVING_H_
