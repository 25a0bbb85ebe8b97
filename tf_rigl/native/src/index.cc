// Building and listing indexes, in O(connections + inputs + outputs).

#include <algorithm>
#include <vector>

#include "bounds.h"
#include "reindex.h"
#include "rigl.h"

namespace rigl {
namespace {

// The input of flat positions. Where the next one has the same input as the
// last, as in ascending order, no division is needed.
class Inputs {
 public:
  explicit Inputs(int outputs) : outputs_(outputs) {}

  int of(int64_t position) {
    if (position < start_ || position >= start_ + outputs_) {
      input_ = int(position / outputs_);
      start_ = int64_t(input_) * outputs_;
    }
    return input_;
  }

  // The output of the position that was asked for last.
  int output(int64_t position) const { return int(position - start_); }

 private:
  const int64_t outputs_;
  int64_t start_ = 0;
  int input_ = 0;
};

// Turns counts, one place ahead, into starts.
void accumulate(int32_t* ptr, int rows) {
  for (int row = 0; row < rows; row++) ptr[row + 1] += ptr[row];
}

// Counts connections of each input and output. Returns whether all positions
// are within the weight; `ascending` tells whether they are in order.
bool count(const int64_t* positions, const RiglNewIndex& index,
           bool& ascending) {
  const int64_t size = int64_t(index.inputs) * index.outputs;
  Inputs inputs(index.outputs);
  std::fill_n(index.t_ptr, index.inputs + 1, 0);
  std::fill_n(index.row_ptr, index.outputs + 1, 0);

  int64_t last = -1;
  ascending = true;
  for (int i = 0; i < index.connections; i++) {
    const int64_t position = positions[i];
    if (position < 0 || position >= size) return false;
    ascending &= position > last;
    last = position;
    index.t_ptr[inputs.of(position) + 1]++;
    index.row_ptr[inputs.output(position) + 1]++;
  }
  accumulate(index.t_ptr, index.inputs);
  accumulate(index.row_ptr, index.outputs);
  return true;
}

// Sorts positions: by their output, then, keeping that order, by their input.
std::vector<int32_t> sort_positions(const int64_t* positions,
                                    const RiglNewIndex& index) {
  Inputs inputs(index.outputs);
  std::vector<int32_t> by_output(index.connections);
  std::vector<int32_t> cursors(index.row_ptr, index.row_ptr + index.outputs);
  for (int i = 0; i < index.connections; i++) {
    inputs.of(positions[i]);
    by_output[cursors[inputs.output(positions[i])]++] = i;
  }

  std::vector<int32_t> sorted(index.connections);
  cursors.assign(index.t_ptr, index.t_ptr + index.inputs);
  for (const int32_t i : by_output) {
    sorted[cursors[inputs.of(positions[i])]++] = i;
  }
  return sorted;
}

// Distributes ascending positions to their outputs: `sorted`, or themselves.
// Returns whether all are distinct.
template <class Column, class TColumn>
bool fill(const int64_t* positions, const int32_t* sorted,
          const RiglNewIndex& index, Column* cols, TColumn* t_cols,
          int32_t* order) {
  std::vector<int32_t> cursors(index.row_ptr, index.row_ptr + index.outputs);
  bool distinct = true;
  for (int input = 0; input < index.inputs; input++) {
    const int64_t start = int64_t(input) * index.outputs;
    const int begin = index.t_ptr[input], end = index.t_ptr[input + 1];
    for (int j = begin; j < end; j++) {
      const int from = sorted ? sorted[j] : j;
      const int output = int(positions[from] - start);
      distinct &= j == begin || int(t_cols[j - 1]) != output;
      const int place = cursors[output]++;
      t_cols[j] = TColumn(output);
      index.t_perm[j] = place;
      cols[place] = Column(input);
      order[place] = from;
    }
  }
  return distinct;
}

}  // namespace

const char* reindex(const int64_t* positions, const RiglNewIndex& index,
                    int32_t* order) {
  bool ascending;
  if (!count(positions, index, ascending)) {
    return "positions must be below inputs · outputs, and not negative";
  }
  std::vector<int32_t> sorted;
  if (!ascending) sorted = sort_positions(positions, index);
  const bool distinct =
      with_columns(index.cols, index.column_bytes, [&](auto* cols) {
        return with_columns(
            index.t_cols, index.t_column_bytes, [&](auto* t_cols) {
              return fill(positions, ascending ? nullptr : sorted.data(), index,
                          cols, t_cols, order);
            });
      });
  return distinct ? nullptr : "positions must be distinct";
}

void list_positions(const RiglIndex& index, int64_t* positions) {
  with_columns(index.t_cols, index.t_column_bytes, [&](auto* t_cols) {
    for (int input = 0; input < index.inputs; input++) {
      const int64_t start = int64_t(input) * index.outputs;
      for (int j = index.t_ptr[input]; j < index.t_ptr[input + 1]; j++) {
        positions[j] = start + t_cols[j];
      }
    }
  });
}

}  // namespace rigl

const char* rigl_reindex(const int64_t* positions, const RiglNewIndex* index,
                         int32_t* order) {
  return rigl::guarded(
      [&] { return rigl::reindex(positions, *index, order); });
}

const char* rigl_positions(const RiglIndex* index, int64_t* positions) {
  if (const char* error = rigl::check_transposed(*index)) return error;
  rigl::list_positions(*index, positions);
  return nullptr;
}
