// A dense weight times one vector: bound by the memory that holds the weight.
#ifndef TF_RIGL_NATIVE_PLAN_DENSE_VECTOR_H_
#define TF_RIGL_NATIVE_PLAN_DENSE_VECTOR_H_

#include "plan_kernels.h"
#include "vectors.h"

namespace {

// R rows at once, so that each load of x serves all of them.
template <int R>
RIGL_INLINE void dense_rows(const float* __restrict values, int places,
                            const float* __restrict x,
                            const float* __restrict bias, float* __restrict y) {
  Vector<kLanes> sums[R] = {};
  int j = 0;
  for (; j + kLanes <= places; j += kLanes) {
    const Vector<kLanes> loaded = load<kLanes>(x + j);
    for (int r = 0; r < R; r++) {
      // Of the rows after these, as the machine does not foresee other pages.
      __builtin_prefetch(values + int64_t(r + R) * places + j, 0, 2);
      sums[r] += load<kLanes>(values + int64_t(r) * places + j) * loaded;
    }
  }
  for (int r = 0; r < R; r++) {
    float total = bias[r] + sum<kLanes>(sums[r]);
    for (int k = j; k < places; k++) {
      total += values[int64_t(r) * places + k] * x[k];
    }
    y[r] = total;
  }
}

void dense_vector(const float* values, int places, const float* x,
                  const float* bias, float* y, int rows) {
  int row = 0;
  constexpr int R = rigl::plan::kVectorRows;
  for (; row + R <= rows; row += R) {
    dense_rows<R>(values + int64_t(row) * places, places, x, bias + row,
                  y + row);
  }
  for (; row < rows; row++) {
    dense_rows<1>(values + int64_t(row) * places, places, x, bias + row,
                  y + row);
  }
}

}  // namespace

#endif  // TF_RIGL_NATIVE_PLAN_DENSE_VECTOR_H_
