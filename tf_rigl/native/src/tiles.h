// Between rows of the batch, as TensorFlow has them, and tiles.
//
// Without transposing in registers, the way in and out takes a fifth of a
// product at 90 % sparsity instead of a twentieth.
#ifndef TF_RIGL_NATIVE_TILES_H_
#define TF_RIGL_NATIVE_TILES_H_

#include "vectors.h"

namespace {

// Transposes a block of W × W floats between two strides.
template <int W>
RIGL_INLINE void transpose_block(const float* from, int64_t from_stride,
                                 float* to, int64_t to_stride) {
  Vector<W> rows[W];
  for (int i = 0; i < W; i++) rows[i] = load<W>(from + i * from_stride);
  transpose<W>(rows);
  for (int i = 0; i < W; i++) store<W>(to + i * to_stride, rows[i]);
}

// Transposes from [rows][columns] to [columns][rows]: blocks in registers, the
// rest one by one. The side that is the batch, by rows in memory that are far
// apart, is the outer loop, so that each of its rows is passed in order.
template <int W, bool kFromBatch>
RIGL_INLINE void transpose_all(const float* from, int64_t from_stride, int rows,
                               int columns, float* to, int64_t to_stride) {
  const int whole_rows = rows - rows % W;
  const int whole_columns = columns - columns % W;
  const int outer = kFromBatch ? whole_rows : whole_columns;
  const int inner = kFromBatch ? whole_columns : whole_rows;

  for (int i = 0; i < outer; i += W) {
    for (int j = 0; j < inner; j += W) {
      const int row = kFromBatch ? i : j, column = kFromBatch ? j : i;
      transpose_block<W>(from + row * from_stride + column, from_stride,
                         to + column * to_stride + row, to_stride);
    }
  }

  for (int row = 0; row < rows; row++) {
    const int first = row < whole_rows ? whole_columns : 0;
    for (int column = first; column < columns; column++) {
      to[column * to_stride + row] = from[row * from_stride + column];
    }
  }
}

void to_tile(const float* from, int64_t stride, int rows, int features, int w,
             float* tile) {
  if (rows < w) {
    for (int64_t i = 0; i < int64_t(features) * w; i++) tile[i] = 0;
  }
  if (rows % kLanes == 0) {
    transpose_all<kLanes, true>(from, stride, rows, features, tile, w);
  } else {
    transpose_all<4, true>(from, stride, rows, features, tile, w);
  }
}

void from_tile(const float* tile, int w, int rows, int features, float* to,
               int64_t stride) {
  if (rows % kLanes == 0) {
    transpose_all<kLanes, false>(tile, w, features, rows, to, stride);
  } else {
    transpose_all<4, false>(tile, w, features, rows, to, stride);
  }
}

// The rows and columns that no block of whole vectors covers are in blocks of
// four, since images are often 7 or 14 pixels wide.
void transpose_matrix(const float* from, int64_t from_stride, int rows,
                      int columns, float* to, int64_t to_stride) {
  const int whole_rows = rows - rows % kLanes;
  const int whole_columns = columns - columns % kLanes;
  transpose_all<kLanes, true>(from, from_stride, whole_rows, whole_columns, to,
                              to_stride);
  if (whole_rows < rows) {
    transpose_all<4, true>(from + whole_rows * from_stride, from_stride,
                           rows - whole_rows, columns, to + whole_rows,
                           to_stride);
  }
  if (whole_columns < columns) {
    transpose_all<4, true>(from + whole_columns, from_stride, whole_rows,
                           columns - whole_columns,
                           to + whole_columns * to_stride, to_stride);
  }
}

}  // namespace

#endif  // TF_RIGL_NATIVE_TILES_H_
