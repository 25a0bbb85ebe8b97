// Building and listing indexes, in O(connections + inputs + outputs).

#include <algorithm>
#include <vector>

#include "bounds.h"
#include "reindex.h"
#include "rigl.h"

namespace rigl {
namespace {

// The input and output of a flat position. Where positions fit 32 bits, so does
// the division, which then takes a third of the time.
struct Split {
  explicit Split(const RiglNewIndex& index)
      : outputs(index.outputs),
        is_small(uint64_t(index.inputs) * index.outputs <= UINT32_MAX) {}

  int input(int64_t position) const {
    if (is_small) return int(uint32_t(position) / outputs);
    return int(position / outputs);
  }

  const uint32_t outputs;
  const bool is_small;
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
  const Split split(index);
  std::fill_n(index.t_ptr, index.inputs + 1, 0);
  std::fill_n(index.row_ptr, index.outputs + 1, 0);

  int64_t last = -1;
  ascending = true;
  for (int i = 0; i < index.connections; i++) {
    const int64_t position = positions[i];
    if (position < 0 || position >= size) return false;
    ascending &= position > last;
    last = position;
    const int input = split.input(position);
    index.t_ptr[input + 1]++;
    index.row_ptr[position - int64_t(input) * index.outputs + 1]++;
  }
  accumulate(index.t_ptr, index.inputs);
  accumulate(index.row_ptr, index.outputs);
  return true;
}

// Orders positions by their input.
std::vector<int32_t> order_by_input(const int64_t* positions,
                                    const RiglNewIndex& index) {
  const Split split(index);
  std::vector<int32_t> order(index.connections);
  std::vector<int32_t> cursors(index.t_ptr, index.t_ptr + index.inputs);
  for (int i = 0; i < index.connections; i++) {
    order[cursors[split.input(positions[i])]++] = i;
  }
  return order;
}

// Distributes positions, given by their input, to their outputs.
template <class Column>
void fill_rows(const int64_t* positions, const int32_t* by_input,
               const RiglNewIndex& index, Column* cols, int32_t* order) {
  std::vector<int32_t> cursors(index.row_ptr, index.row_ptr + index.outputs);
  for (int input = 0; input < index.inputs; input++) {
    const int64_t start = int64_t(input) * index.outputs;
    for (int i = index.t_ptr[input]; i < index.t_ptr[input + 1]; i++) {
      const int from = by_input ? by_input[i] : i;
      const int place = cursors[positions[from] - start]++;
      cols[place] = Column(input);
      order[place] = from;
    }
  }
}

// Distributes connections, which are in order of their outputs, to their
// inputs. Returns whether all are distinct.
template <class Column, class TColumn>
bool fill_transposed(const RiglNewIndex& index, const Column* cols,
                     TColumn* t_cols) {
  std::vector<int32_t> cursors(index.t_ptr, index.t_ptr + index.inputs);
  bool distinct = true;
  for (int output = 0; output < index.outputs; output++) {
    const int begin = index.row_ptr[output], end = index.row_ptr[output + 1];
    for (int j = begin; j < end; j++) {
      distinct &= j == begin || cols[j] != cols[j - 1];
      t_cols[cursors[cols[j]]++] = TColumn(output);
    }
  }
  return distinct;
}

template <class Column>
void list_positions(const RiglIndex& index, const Column* cols,
                    int64_t* positions, int32_t* order) {
  std::vector<int32_t> cursors(index.t_ptr, index.t_ptr + index.inputs);
  for (int output = 0; output < index.outputs; output++) {
    for (int j = index.row_ptr[output]; j < index.row_ptr[output + 1]; j++) {
      const int64_t input = cols[j];
      const int place = cursors[input]++;
      positions[place] = input * index.outputs + output;
      order[place] = j;
    }
  }
}

bool agree_in_counts(const RiglIndex& index) {
  return with_columns(index.cols, index.column_bytes, [&](auto* cols) {
    std::vector<int32_t> counts(size_t(index.inputs) + 1);
    for (int j = 0; j < index.connections; j++) counts[cols[j] + 1]++;
    accumulate(counts.data(), index.inputs);
    return std::equal(counts.begin(), counts.end(), index.t_ptr);
  });
}

}  // namespace

const char* reindex(const int64_t* positions, const RiglNewIndex& index,
                    int32_t* order) {
  bool ascending;
  if (!count(positions, index, ascending)) {
    return "positions must be below inputs · outputs, and not negative";
  }
  std::vector<int32_t> by_input;
  if (!ascending) by_input = order_by_input(positions, index);
  const bool distinct =
      with_columns(index.cols, index.column_bytes, [&](auto* cols) {
        fill_rows(positions, ascending ? nullptr : by_input.data(), index, cols,
                  order);
        return with_columns(
            index.t_cols, index.t_column_bytes,
            [&](auto* t_cols) { return fill_transposed(index, cols, t_cols); });
      });
  return distinct ? nullptr : "positions must be distinct";
}

const char* positions_of(const RiglIndex& index, int64_t* positions,
                         int32_t* order) {
  if (const char* error = check_forward(index)) return error;
  if (const char* error = check_transposed(index)) return error;
  // Otherwise not every position would be written.
  if (!agree_in_counts(index)) {
    return "t_ptr must count as many connections as cols";
  }
  with_columns(index.cols, index.column_bytes, [&](auto* cols) {
    list_positions(index, cols, positions, order);
  });
  return nullptr;
}

}  // namespace rigl

const char* rigl_reindex(const int64_t* positions, const RiglNewIndex* index,
                         int32_t* order) {
  return rigl::guarded(
      [&] { return rigl::reindex(positions, *index, order); });
}

const char* rigl_positions(const RiglIndex* index, int64_t* positions,
                           int32_t* order) {
  return rigl::guarded(
      [&] { return rigl::positions_of(*index, positions, order); });
}
