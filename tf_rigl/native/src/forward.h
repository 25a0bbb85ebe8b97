// What the forward passes of products and of convolutions share.
#ifndef TF_RIGL_NATIVE_FORWARD_H_
#define TF_RIGL_NATIVE_FORWARD_H_

#include <algorithm>

#include "kernels.h"
#include "partition.h"
#include "rigl.h"

namespace rigl {

// Two vectors of AVX-512, four of AVX2: wider tiles leave the first cache.
constexpr int kWidestForward = 32;
constexpr int kNarrowestForward = 4;

// Outputs that are transposed at once, while they are still in the first cache.
constexpr int kOutputsAtOnce = 256;

template <class Column>
struct ForwardWeight {
  const Kernels& all;
  const RiglIndex& index;
  const Column* cols;
  const float* values;
  const float* bias;

  const ColumnKernels<Column>& columns() const { return all.of<Column>(); }

  Rows<Column> rows(int begin, int end) const {
    return {begin, end, index.row_ptr, cols};
  }

  // Computes outputs [begin, end) of a tile's inputs; y is that of the batch.
  void write_outputs(const Tile& tile, const float* x_tile, int begin, int end,
                     float* y) const {
    alignas(64) float out[kOutputsAtOnce * kWidestForward];
    for (int row = begin; row < end; row += kOutputsAtOnce) {
      const int next = std::min(row + kOutputsAtOnce, end);
      columns().product(rows(row, next), values, bias, x_tile, tile.w, out);
      all.from_tile(out, tile.w, tile.rows, next - row,
                    y + tile.first * index.outputs + row, index.outputs);
    }
  }
};

}  // namespace rigl

#endif  // TF_RIGL_NATIVE_FORWARD_H_
