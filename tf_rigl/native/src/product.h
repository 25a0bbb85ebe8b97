// Products of a sparse weight with a tile, or with one vector.
#ifndef TF_RIGL_NATIVE_PRODUCT_H_
#define TF_RIGL_NATIVE_PRODUCT_H_

#include "kernels.h"
#include "vectors.h"

namespace {

// The product with a tile of T vectors of W columns.
//
// With few vectors each multiply-add would wait for the one before it, so U
// connections are in flight, each with its own sums.
template <int W, int T, int U, class Column>
RIGL_INLINE void product_of(rigl::Rows<Column> rows,
                            const float* __restrict values,
                            const float* __restrict bias,
                            const float* __restrict tile,
                            float* __restrict out) {
  constexpr int kWidth = W * T;

  for (int row = rows.begin; row < rows.end; row++) {
    Vector<W> sums[U][T];
    for (int u = 0; u < U; u++) {
      const float start = u == 0 && bias ? bias[row] : 0;
      for (int t = 0; t < T; t++) sums[u][t] = Vector<W>{} + start;
    }

    int j = rows.ptr[row];
    const int end = rows.ptr[row + 1];
    for (; j + U <= end; j += U) {
      for (int u = 0; u < U; u++) {
        const float* from = tile + size_t(rows.cols[j + u]) * kWidth;
        const float value = values[j + u];
        for (int t = 0; t < T; t++) {
          sums[u][t] += load<W>(from + t * W) * value;
        }
      }
    }
    for (; j < end; j++) {
      const float* from = tile + size_t(rows.cols[j]) * kWidth;
      for (int t = 0; t < T; t++) sums[0][t] += load<W>(from + t * W) * values[j];
    }

    for (int t = 0; t < T; t++) {
      for (int u = 1; u < U; u++) sums[0][t] += sums[u][t];
      store<W>(out + size_t(row - rows.begin) * kWidth + t * W, sums[0][t]);
    }
  }
}

// Vectors of `width` columns, as many at a time as the registers of the level
// hold: at most eight.
template <int kWidth, class Column>
RIGL_INLINE void product_of_width(rigl::Rows<Column> rows, const float* values,
                                  const float* bias, const float* tile,
                                  float* out) {
  constexpr int W = kWidth < kLanes ? kWidth : kLanes;
  constexpr int T = kWidth / W;
  constexpr int U = T == 1 ? 4 : T <= 4 && W == 16 ? 2 : T == 2 ? 2 : 1;
  product_of<W, T, U>(rows, values, bias, tile, out);
}

template <class Column>
void product(rigl::Rows<Column> rows, const float* values, const float* bias,
             const float* tile, int w, float* out) {
  switch (w) {
    case 4:
      return product_of_width<4>(rows, values, bias, tile, out);
    case 8:
      return product_of_width<8>(rows, values, bias, tile, out);
    case 16:
      return product_of_width<16>(rows, values, bias, tile, out);
    case 32:
      return product_of_width<32>(rows, values, bias, tile, out);
    case 64:
      if constexpr (kLanes >= 8)
        return product_of_width<64>(rows, values, bias, tile, out);
      break;
    case 128:
      if constexpr (kLanes >= 16)
        return product_of_width<128>(rows, values, bias, tile, out);
      break;
  }
  __builtin_trap();  // TileWidths has no other
}

// Bound by the loads of x, so that nothing is gained by vectors.
template <class Column>
void vector_product(rigl::Rows<Column> rows, const float* __restrict values,
                    const float* __restrict bias, const float* __restrict x,
                    float* __restrict y) {
  for (int row = rows.begin; row < rows.end; row++) {
    float sums[4] = {bias[row], 0, 0, 0};
    int j = rows.ptr[row];
    const int end = rows.ptr[row + 1];
    for (; j + 4 <= end; j += 4) {
      for (int u = 0; u < 4; u++) sums[u] += values[j + u] * x[rows.cols[j + u]];
    }
    for (; j < end; j++) sums[0] += values[j] * x[rows.cols[j]];
    y[row] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  }
}

}  // namespace

#endif  // TF_RIGL_NATIVE_PRODUCT_H_
