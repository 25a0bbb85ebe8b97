#include "blocks.h"

#include <algorithm>

#include "connections.h"

namespace rigl::plan {
namespace {

// Of the first cache, what planes may take: the rest is for sums and weights.
constexpr int64_t kCacheFloats = 32 * 1024 / sizeof(float);

double density_of(const Weight& weight) {
  return weight.is_dense()
             ? 1
             : double(weight.connections) / weight.rows / weight.places;
}

// Calls function(row, place, value) of each connection, row by row.
template <class Function>
void for_connections(const Weight& weight, const Function& function) {
  if (weight.is_dense()) {
    const float* values = weight.values;
    for (int row = 0; row < weight.rows; row++) {
      for (int j = 0; j < weight.places; j++) function(row, j, *values++);
    }
    return;
  }
  for_connections(weight, 0, weight.rows, function);
}

}  // namespace

Blocking choose_blocking(const Weight& weight, int channels, int64_t positions,
                         int64_t halo, int lanes) {
  const int64_t vectors = (positions + lanes - 1) / lanes;
  const double connections = density_of(weight) * weight.places;
  // Two loads a cycle; of those that cross a line, one.
  const double load = halo > 0 ? 0.8 : 0.5;

  Blocking best{1, channels};
  double least = 0;
  for (int count = 1; count <= 8; count++) {
    const int64_t tiles = (vectors + count - 1) / count;
    const int64_t floats = count * lanes + halo;
    const int most = int(std::max<int64_t>(8, kCacheFloats / floats));
    const int blocks = (channels + most - 1) / most;
    // A connection takes two loads of its own; a row of a block, as many loads
    // and stores of sums as there are vectors, and a mispredicted branch.
    const double cycles =
        double(tiles) *
        (connections * (1 + count * load) + blocks * (count + 15.0));
    if (count == 1 || cycles < least) {
      least = cycles;
      best = {count, (channels + blocks - 1) / blocks};
    }
  }
  return best;
}

SparseBlocks::SparseBlocks(const Operation& one, int channels,
                           const Windows& windows, const Blocking& blocking,
                           int rows_of_set)
    : rows_(one.weight.rows),
      rows_of_set_(rows_of_set),
      blocks_((channels + blocking.channels - 1) / blocking.channels) {
  const Weight& weight = one.weight;
  const int64_t count = weight.is_dense()
                            ? int64_t(weight.rows) * weight.places
                            : weight.connections;
  const int64_t rows = int64_t(blocks_) * rows_;
  // Each row of a block may be padded by one.
  if (count + rows > INT32_MAX) {
    throw Refused{"A kernel of the plan is too large."};
  }

  const auto row_of_block = [&](int row, int place) {
    return int64_t(place % channels / blocking.channels) * rows_ + row;
  };
  std::vector<int32_t> counts(rows);
  for_connections(weight, [&](int row, int place, float) {
    counts[row_of_block(row, place)]++;
  });
  // Kernels for so many vectors take two connections at a time. Where one is
  // left over, another one with a value of 0 costs less than a branch.
  const bool in_pairs = blocking.vectors >= 3 && blocking.vectors <= 5;
  if (in_pairs) {
    for (int32_t& one_count : counts) one_count += one_count & 1;
  }
  choose_order(counts);

  // Where the next connection of each row goes.
  std::vector<int32_t> next(rows);
  int32_t sum = 0;
  for (int block = 0; block < blocks_; block++) {
    for (int place = 0; place < rows_; place++) {
      const int64_t row =
          int64_t(block) * rows_ + order_[int64_t(block) * rows_ + place];
      ptr_.push_back(sum);
      next[row] = sum;
      sum += counts[row];
    }
    ptr_.push_back(sum);
  }

  connections_.resize(sum);
  const int rows_of_group = rows_ / one.groups;
  for_connections(weight, [&](int row, int place, float value) {
    const int channel = row / rows_of_group * channels + place % channels;
    const int32_t offset = windows.offset(place / channels, channel);
    const int64_t here = row_of_block(row, place);
    connections_[next[here]++] = {offset, value};
    // Overwritten by the next one, unless there is none.
    counts[here]--;
    if (counts[here] == 1 && in_pairs) connections_[next[here]] = {offset, 0};
  });
}

// Sorts the rows of each set by their counts, in each block.
void SparseBlocks::choose_order(const std::vector<int32_t>& counts) {
  const int all_sets = (rows_ + rows_of_set_ - 1) / rows_of_set_;
  work_.assign(all_sets + 1, 0);
  for (int block = 0; block < blocks_; block++) {
    const int32_t* here = counts.data() + int64_t(block) * rows_;
    for (int set = 0; set < all_sets; set++) {
      const size_t first = order_.size();
      for (int one = row(set); one < row(set + 1); one++) {
        order_.push_back(one);
        work_[set + 1] += here[one];
      }
      std::stable_sort(
          order_.begin() + first, order_.end(),
          [here](int a, int b) { return here[a] < here[b]; });
    }
  }
  for (int set = 0; set < all_sets; set++) work_[set + 1] += work_[set];
}

}  // namespace rigl::plan
