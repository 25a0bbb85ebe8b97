// The gradient of the values: one dot product over the batch for each of them.
#ifndef TF_RIGL_NATIVE_VALUES_GRADIENT_H_
#define TF_RIGL_NATIVE_VALUES_GRADIENT_H_

#include "kernels.h"
#include "vectors.h"

namespace {

// The products of one connection, not summed over lanes yet.
template <int W, int T>
RIGL_INLINE Vector<W> dot(const float* x, const Vector<W> (&dy)[T]) {
  Vector<W> sum = load<W>(x) * dy[0];
  for (int t = 1; t < T; t++) sum += load<W>(x + t * W) * dy[t];
  return sum;
}

// The gradient of an output stays in registers while its connections pass. W
// connections are summed over their lanes together.
template <int W, int T, class Column>
RIGL_INLINE void values_gradient_of(rigl::Rows<Column> rows,
                                    const float* __restrict tile,
                                    const float* __restrict dtile, bool add,
                                    float* __restrict dvalues) {
  constexpr int kWidth = W * T;

  for (int row = rows.begin; row < rows.end; row++) {
    Vector<W> dy[T];
    for (int t = 0; t < T; t++) {
      dy[t] = load<W>(dtile + size_t(row) * kWidth + t * W);
    }

    int j = rows.ptr[row];
    const int end = rows.ptr[row + 1];
    for (; j + W <= end; j += W) {
      Vector<W> sums[W];
      for (int i = 0; i < W; i++) {
        sums[i] = dot<W, T>(tile + size_t(rows.cols[j + i]) * kWidth, dy);
      }
      Vector<W> result = sum_lanes<W>(sums);
      if (add) result += load<W>(dvalues + j);
      store<W>(dvalues + j, result);
    }

    for (; j < end; j++) {
      const float* x = tile + size_t(rows.cols[j]) * kWidth;
      const float result = sum<W>(dot<W, T>(x, dy));
      dvalues[j] = add ? dvalues[j] + result : result;
    }
  }
}

template <int kWidth, class Column>
RIGL_INLINE void values_gradient_of_width(rigl::Rows<Column> rows,
                                          const float* tile,
                                          const float* dtile, bool add,
                                          float* dvalues) {
  constexpr int W = kWidth < kLanes ? kWidth : kLanes;
  values_gradient_of<W, kWidth / W>(rows, tile, dtile, add, dvalues);
}

template <class Column>
void values_gradient(rigl::Rows<Column> rows, const float* tile,
                     const float* dtile, int w, bool add, float* dvalues) {
  switch (w) {
    case 16:
      return values_gradient_of_width<16>(rows, tile, dtile, add, dvalues);
    case 32:
      return values_gradient_of_width<32>(rows, tile, dtile, add, dvalues);
    case 64:
      if constexpr (kLanes >= 8)
        return values_gradient_of_width<64>(rows, tile, dtile, add, dvalues);
      break;
    case 128:
      if constexpr (kLanes >= 16)
        return values_gradient_of_width<128>(rows, tile, dtile, add, dvalues);
      break;
  }
  __builtin_trap();  // TileWidths has no other for the backward pass
}

}  // namespace

#endif  // TF_RIGL_NATIVE_VALUES_GRADIENT_H_
