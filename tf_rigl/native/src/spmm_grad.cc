// The backward pass: gradients of inputs, values and bias from one transposed
// copy of each tile.

#include <algorithm>

#include "bounds.h"
#include "kernels.h"
#include "partition.h"
#include "pool.h"
#include "rigl.h"
#include "scratch.h"

namespace rigl {
namespace {

constexpr int kNarrowest = 16;

// Inputs that are transposed at once, while they are still in the first cache.
constexpr int kInputsAtOnce = 128;

// Features of a tile that are one task of the transposition.
constexpr int kFeaturesAtOnce = 256;

// Four vectors: narrower tiles load indexes and values too often, and both wider
// tiles of a layer of 1024 × 1024 would not stay in the second cache.
int widest_tile(int lanes) { return std::max(4 * lanes, kNarrowest); }

// Columns of the batch that are worked on together: for small layers several
// tiles, for fewer barriers between threads, within half a megabyte.
int64_t group_columns(const RiglIndex& index, int widest) {
  const int64_t features = int64_t(index.inputs) + index.outputs;
  const int64_t fitting = (int64_t(1) << 17) / std::max<int64_t>(features, 1);
  const int64_t columns = std::min<int64_t>(fitting, 1024);
  return std::max<int64_t>(widest, columns / widest * widest);
}

template <class Column, class TColumn>
struct Backward {
  const Kernels& all;
  const RiglIndex& index;
  const Column* cols;
  const TColumn* t_cols;
  const float* values;
  const float* x;
  const float* dy;
  float* dx;
  float* dvalues;
  float* dbias;

  // One group of tiles and their transposed copies.
  std::vector<Tile> tiles;
  int64_t first = 0;  // of the batch
  float* x_tiles = nullptr;
  float* dy_tiles = nullptr;
  float* t_values = nullptr;  // values, ordered by (input, output)

  float* x_tile(const Tile& tile) const {
    return x_tiles + (tile.first - first) * index.inputs;
  }

  float* dy_tile(const Tile& tile) const {
    return dy_tiles + (tile.first - first) * index.outputs;
  }
};

// Orders values as the transposed half is. Done once, and not for each tile:
// the values lie anywhere. (Writing them in order of the other half, with a
// cursor for each input, needs no t_perm and takes five times as long.)
template <class Column, class TColumn>
void transpose_values(const Backward<Column, TColumn>& call) {
  constexpr int kAtOnce = 1 << 14;
  const int connections = call.index.connections;
  parallel_for((connections + kAtOnce - 1) / kAtOnce, [&](int task) {
    const int end = std::min(connections, (task + 1) * kAtOnce);
    for (int j = task * kAtOnce; j < end; j++) {
      call.t_values[j] = call.values[call.index.t_perm[j]];
    }
  });
}

template <class Column, class TColumn>
void transpose_group(const Backward<Column, TColumn>& call) {
  const int inputs = call.index.inputs, outputs = call.index.outputs;
  const auto pieces_of = [](int features) {
    return (features + kFeaturesAtOnce - 1) / kFeaturesAtOnce;
  };
  const int pieces = pieces_of(inputs) + pieces_of(outputs);

  parallel_for(pieces * int(call.tiles.size()), [&](int task) {
    const Tile& tile = call.tiles[task / pieces];
    int piece = task % pieces;
    const bool of_x = piece < pieces_of(inputs);
    if (!of_x) piece -= pieces_of(inputs);

    const int features = of_x ? inputs : outputs;
    const int begin = piece * kFeaturesAtOnce;
    const int count = std::min(kFeaturesAtOnce, features - begin);
    const float* from = (of_x ? call.x : call.dy) + tile.first * features;
    float* to = of_x ? call.x_tile(tile) : call.dy_tile(tile);
    call.all.to_tile(from + begin, features, tile.rows, count, tile.w,
                     to + size_t(begin) * tile.w);
  });
}

// Of a range of outputs: the gradients of values and bias.
template <class Column, class TColumn>
void differentiate_outputs(const Backward<Column, TColumn>& call, int begin,
                           int end) {
  for (const Tile& tile : call.tiles) {
    const bool add = tile.first > 0;
    const float* dy_tile = call.dy_tile(tile);
    call.all.template of<Column>().values_gradient(
        {begin, end, call.index.row_ptr, call.cols}, call.x_tile(tile), dy_tile,
        tile.w, add, call.dvalues);

    for (int row = begin; row < end; row++) {
      float sum = 0;
      for (int b = 0; b < tile.w; b++) sum += dy_tile[size_t(row) * tile.w + b];
      call.dbias[row] = add ? call.dbias[row] + sum : sum;
    }
  }
}

// Of a range of inputs of one tile: the gradient of x.
template <class Column, class TColumn>
void differentiate_inputs(const Backward<Column, TColumn>& call,
                          const Tile& tile, int begin, int end) {
  alignas(64) float out[kInputsAtOnce * 64];
  const int inputs = call.index.inputs;
  for (int row = begin; row < end; row += kInputsAtOnce) {
    const int next = std::min(row + kInputsAtOnce, end);
    call.all.template of<TColumn>().product(
        {row, next, call.index.t_ptr, call.t_cols}, call.t_values, nullptr,
        call.dy_tile(tile), tile.w, out);
    call.all.from_tile(out, tile.w, tile.rows, next - row,
                       call.dx + tile.first * inputs + row, inputs);
  }
}

template <class Column, class TColumn>
void differentiate_group(const Backward<Column, TColumn>& call) {
  const RiglIndex& index = call.index;
  const int tiles = int(call.tiles.size());
  const int parts = parts_for(int64_t(index.connections) * tiles *
                              call.tiles.front().w);
  transpose_group(call);

  const auto cuts = cut_rows(index.row_ptr, index.outputs, parts);
  parallel_for(int(cuts.size()) - 1, [&](int range) {
    differentiate_outputs(call, cuts[range], cuts[range + 1]);
  });
  if (!call.dx) return;

  const auto t_cuts = cut_rows(index.t_ptr, index.inputs, parts);
  const int t_ranges = int(t_cuts.size()) - 1;
  parallel_for(t_ranges * tiles, [&](int task) {
    const int range = task % t_ranges;
    differentiate_inputs(call, call.tiles[task / t_ranges], t_cuts[range],
                         t_cuts[range + 1]);
  });
}

template <class Column, class TColumn>
void differentiate(Backward<Column, TColumn> call, int64_t batch) {
  const RiglIndex& index = call.index;
  const int widest = widest_tile(call.all.lanes);
  const int64_t columns = group_columns(index, widest);
  // The last tile may be wider than what is left of the batch.
  const int64_t padded = std::min(columns, batch + kNarrowest);

  const Scratch x_scratch(size_t(padded) * index.inputs);
  const Scratch dy_scratch(size_t(padded) * index.outputs);
  const Scratch value_scratch(call.dx ? index.connections : 0);
  call.x_tiles = x_scratch.data();
  call.dy_tiles = dy_scratch.data();
  call.t_values = value_scratch.data();
  if (call.dx) transpose_values(call);

  for (call.first = 0; call.first < batch; call.first += columns) {
    const int64_t end = std::min(batch, call.first + columns);
    call.tiles = tiles_of(call.first, end, widest, kNarrowest);
    differentiate_group(call);
  }
}

}  // namespace
}  // namespace rigl

const char* rigl_spmm_grad(const RiglIndex* index, const float* values,
                           const float* x, const float* dy, int64_t batch,
                           float* dx, float* dvalues, float* dbias) {
  using namespace rigl;
  if (const char* error = check_forward(*index)) return error;
  if (const char* error = check_transposed(*index)) return error;
  if (const char* error = check_permutation(*index)) return error;
  if (batch <= 0) {
    std::fill_n(dvalues, index->connections, 0.0f);
    std::fill_n(dbias, index->outputs, 0.0f);
    return nullptr;
  }
  return guarded([&]() -> const char* {
    with_columns(index->cols, index->column_bytes, [&](auto* cols) {
      with_columns(index->t_cols, index->t_column_bytes, [&](auto* t_cols) {
        using Column = std::remove_cv_t<std::remove_pointer_t<decltype(cols)>>;
        using TColumn =
            std::remove_cv_t<std::remove_pointer_t<decltype(t_cols)>>;
        differentiate(
            Backward<Column, TColumn>{kernels(), *index, cols, t_cols, values,
                                      x, dy, dx, dvalues, dbias, {}},
            batch);
      });
    });
    return nullptr;
  });
}
