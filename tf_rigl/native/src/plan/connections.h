// The connections of a sparse weight, one after the other.
#ifndef TF_RIGL_NATIVE_PLAN_CONNECTIONS_H_
#define TF_RIGL_NATIVE_PLAN_CONNECTIONS_H_

#include "bounds.h"
#include "program.h"

namespace rigl::plan {

// Calls function(row, place, value) of each connection of rows, ascending.
template <class Function>
void for_connections(const Weight& weight, int begin, int end,
                     const Function& function) {
  with_columns(weight.cols, weight.column_bytes, [&](auto* cols) {
    for (int row = begin; row < end; row++) {
      for (int j = weight.row_ptr[row]; j < weight.row_ptr[row + 1]; j++) {
        function(row, int(cols[j]), weight.values[j]);
      }
    }
  });
}

}  // namespace rigl::plan

#endif  // TF_RIGL_NATIVE_PLAN_CONNECTIONS_H_
