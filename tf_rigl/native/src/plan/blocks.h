// Sparse kernels in the order in which they are computed.
#ifndef TF_RIGL_NATIVE_PLAN_BLOCKS_H_
#define TF_RIGL_NATIVE_PLAN_BLOCKS_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "plan_kernels.h"
#include "program.h"
#include "windows.h"

namespace rigl::plan {

// What is computed at once: so many positions, of so many channels. All that
// rows of a block read should stay in the first cache, because each element of
// it is read by many rows.
struct Blocking {
  int vectors;   // of positions
  int channels;  // of a group
};

// Chooses what takes the least time, by a model of loads. `halo` is how many
// floats of a channel are read beyond the positions.
Blocking choose_blocking(const Weight& weight, int channels, int64_t positions,
                         int64_t halo, int lanes);

class SparseBlocks {
 public:
  // `channels` are those of a group of `one`. The order of rows is kept among
  // sets of `rows_of_set`, between which work can be split.
  SparseBlocks(const Operation& one, int channels, const Windows& windows,
               const Blocking& blocking, int rows_of_set);

  int sets() const { return int(work_.size()) - 1; }

  // How many connections there are before each set, and in all.
  const int32_t* work() const { return work_.data(); }

  // The first row of a set; the number of rows for the end of the last one.
  int row(int set) const { return std::min(set * rows_of_set_, rows_); }

  SparseRows rows_of_sets(int begin, int end) const {
    return {row(begin),    row(end),    rows_,
            blocks_,       order_.data(), ptr_.data(),
            connections_.data()};
  }

 private:
  void choose_order(const std::vector<int32_t>& counts);

  const int rows_;
  const int rows_of_set_;
  const int blocks_;
  std::vector<int32_t> order_, ptr_, work_;
  std::vector<Connection> connections_;
};

}  // namespace rigl::plan

#endif  // TF_RIGL_NATIVE_PLAN_BLOCKS_H_
