#include "bounds.h"

#include <type_traits>

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

// Walks both halves: where the transposed one says that a value is, the other
// must have its input. Sorted halves of one length are then the same.
bool do_halves_agree(const RiglIndex& index) {
  return with_columns(index.t_cols, index.t_column_bytes, [&](auto* t_cols) {
    return with_columns(index.cols, index.column_bytes, [&](auto* cols) {
      for (int input = 0; input < index.inputs; input++) {
        for (int j = index.t_ptr[input]; j < index.t_ptr[input + 1]; j++) {
          const int place = index.t_perm[j];
          const int output = int(t_cols[j]);
          if (place < index.row_ptr[output] ||
              place >= index.row_ptr[output + 1] ||
              int(cols[place]) != input) {
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

const char* check_permutation(const RiglIndex& index) {
  if (are_below(index.t_perm, 4, index.connections, index.connections)) {
    return nullptr;
  }
  return "t_perm must be below the number of connections";
}

}  // namespace rigl

const char* rigl_check_index(const RiglIndex* index) {
  if (const char* error = rigl::check_forward(*index)) return error;
  if (const char* error = rigl::check_transposed(*index)) return error;
  if (const char* error = rigl::check_permutation(*index)) return error;

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
  if (!rigl::do_halves_agree(*index)) {
    return "t_ptr, t_cols and t_perm must transpose row_ptr and cols";
  }
  return nullptr;
}

int32_t rigl_interface() { return kRiglInterface; }
