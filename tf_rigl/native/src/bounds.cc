#include "bounds.h"

#include <type_traits>
#include <vector>

namespace rigl {
namespace {

const char* check_sizes(const RiglIndex& index) {
  if (index.inputs < 0 || index.outputs < 0 || index.connections < 0) {
    return "sizes must not be negative";
  }
  return nullptr;
}

bool is_ascending(const int32_t* ptr, int rows, int connections) {
  bool ascending = ptr[0] == 0 && ptr[rows] == connections;
  for (int row = 0; row < rows; row++) ascending &= ptr[row] <= ptr[row + 1];
  return ascending;
}

bool are_below(const void* cols, int bytes, int count, int size) {
  return with_columns(cols, bytes, [&](auto* typed) {
    using Column = std::remove_cv_t<std::remove_pointer_t<decltype(typed)>>;
    return kernels().of<Column>().are_below(typed, count, size);
  });
}

// Within each row, columns must ascend: none may be there twice.
template <class Column>
bool are_sorted(const int32_t* ptr, const Column* cols, int rows) {
  for (int row = 0; row < rows; row++) {
    for (int j = ptr[row] + 1; j < ptr[row + 1]; j++) {
      if (cols[j - 1] >= cols[j]) return false;
    }
  }
  return true;
}

// Walks the first half with a cursor for each input in the other: sorted halves
// agree if each connection is found there in turn.
bool do_halves_agree(const RiglIndex& index) {
  std::vector<int32_t> cursors(index.t_ptr, index.t_ptr + index.inputs);
  return with_columns(index.t_cols, index.t_column_bytes, [&](auto* t_cols) {
    return with_columns(index.cols, index.column_bytes, [&](auto* cols) {
      for (int output = 0; output < index.outputs; output++) {
        for (int j = index.row_ptr[output]; j < index.row_ptr[output + 1]; j++) {
          const int input = int(cols[j]);
          const int place = cursors[input]++;
          if (place >= index.t_ptr[input + 1] ||
              int(t_cols[place]) != output) {
            return false;
          }
        }
      }
      return true;
    });
  });
}

}  // namespace

const char* check_forward(const RiglIndex& index) {
  if (const char* error = check_sizes(index)) return error;
  if (!is_ascending(index.row_ptr, index.outputs, index.connections)) {
    return "row_ptr must ascend from 0 to the number of connections";
  }
  if (!are_below(index.cols, index.column_bytes, index.connections,
                 index.inputs)) {
    return "cols must be below the number of inputs";
  }
  return nullptr;
}

const char* check_transposed(const RiglIndex& index) {
  if (const char* error = check_sizes(index)) return error;
  if (!is_ascending(index.t_ptr, index.inputs, index.connections)) {
    return "t_ptr must ascend from 0 to the number of connections";
  }
  if (!are_below(index.t_cols, index.t_column_bytes, index.connections,
                 index.outputs)) {
    return "t_cols must be below the number of outputs";
  }
  return nullptr;
}

}  // namespace rigl

const char* rigl_check_index(const RiglIndex* index) {
  if (const char* error = rigl::check_forward(*index)) return error;
  if (const char* error = rigl::check_transposed(*index)) return error;

  const bool sorted =
      rigl::with_columns(index->cols, index->column_bytes,
                         [&](auto* cols) {
                           return rigl::are_sorted(index->row_ptr, cols,
                                                   index->outputs);
                         }) &&
      rigl::with_columns(index->t_cols, index->t_column_bytes,
                         [&](auto* t_cols) {
                           return rigl::are_sorted(index->t_ptr, t_cols,
                                                   index->inputs);
                         });
  if (!sorted) return "columns must ascend within each row";
  return rigl::guarded([&]() -> const char* {
    if (rigl::do_halves_agree(*index)) return nullptr;
    return "t_ptr and t_cols must be the transpose of row_ptr and cols";
  });
}

int32_t rigl_interface() { return kRiglInterface; }
