// The kernels of one level, RIGL_LEVEL: this file is compiled once for each.

#include "kernels.h"

#include "gradient_block.h"
#include "product.h"
#include "runs.h"
#include "tiles.h"
#include "values_gradient.h"

namespace {

template <class Column>
bool are_below(const Column* cols, int count, int size) {
  // As unsigned, negative ones are too large. One pass without branches: 1 % of
  // a backward pass at 90 % sparsity and a batch of 128.
  uint32_t largest = 0;
  for (int j = 0; j < count; j++) {
    const uint32_t column = cols[j];
    largest = column > largest ? column : largest;
  }
  return count == 0 || largest < uint32_t(size);
}

template <class Column>
constexpr rigl::ColumnKernels<Column> column_kernels() {
  return {product<Column>, values_gradient<Column>, vector_product<Column>,
          are_below<Column>};
}

}  // namespace

#define RIGL_STRING(name) #name
#define RIGL_NAME(level) RIGL_STRING(level)

namespace rigl::RIGL_LEVEL {

extern const Kernels kernels;
const Kernels kernels = {
    RIGL_NAME(RIGL_LEVEL),      kLanes,
    to_tile,                    from_tile,
    transpose_matrix,           copy_runs,
    add_runs,                   gradient_block,
    at_least,
    column_kernels<uint16_t>(), column_kernels<int32_t>(),
};

}  // namespace rigl::RIGL_LEVEL
