// The forward pass.

#include <algorithm>

#include "bounds.h"
#include "forward.h"
#include "kernels.h"
#include "partition.h"
#include "pool.h"
#include "rigl.h"
#include "scratch.h"

namespace rigl {
namespace {

// Inputs of a tile that are one task.
constexpr int kInputsAtOnce = 256;

template <class Column>
struct Forward {
  ForwardWeight<Column> weight;
  const float* x;
  float* y;

  void read_inputs(const Tile& tile, int begin, int end, float* x_tile) const {
    const int inputs = weight.index.inputs;
    weight.all.to_tile(x + tile.first * inputs + begin, inputs, tile.rows,
                       end - begin, tile.w, x_tile + size_t(begin) * tile.w);
  }
};

template <class Column>
void multiply_vector(const Forward<Column>& forward) {
  const ForwardWeight<Column>& weight = forward.weight;
  const RiglIndex& index = weight.index;
  const auto cuts = cut_rows(index.row_ptr, index.outputs,
                             parts_for(index.connections));
  parallel_for(int(cuts.size()) - 1, [&](int part) {
    weight.columns().vector_product(weight.rows(cuts[part], cuts[part + 1]),
                                    weight.values, weight.bias, forward.x,
                                    forward.y);
  });
}

// Each tile is a task.
template <class Column>
void multiply_tiles(const Forward<Column>& forward,
                    const std::vector<Tile>& tiles) {
  const RiglIndex& index = forward.weight.index;
  // One after the other where there is little to do.
  const int64_t work = int64_t(index.connections) * tiles.back().first;
  const int tasks =
      std::min<int>(int(tiles.size()), std::max(1, parts_for(work)));
  // Here, because tasks must not throw.
  const size_t tile_floats = size_t(index.inputs) * tiles.front().w;
  const Scratch scratch(tile_floats * tasks);

  parallel_for(tasks, [&](int task) {
    float* x_tile = scratch.data() + task * tile_floats;
    for (size_t i = task; i < tiles.size(); i += tasks) {
      forward.read_inputs(tiles[i], 0, index.inputs, x_tile);
      forward.weight.write_outputs(tiles[i], x_tile, 0, index.outputs,
                                   forward.y);
    }
  });
}

// One tile, whose outputs are split.
template <class Column>
void multiply_tile(const Forward<Column>& forward, const Tile& tile,
                   int parts) {
  const RiglIndex& index = forward.weight.index;
  const Scratch scratch(size_t(index.inputs) * tile.w);
  float* x_tile = scratch.data();

  const int pieces = (index.inputs + kInputsAtOnce - 1) / kInputsAtOnce;
  parallel_for(pieces, [&](int piece) {
    const int begin = piece * kInputsAtOnce;
    const int end = std::min(begin + kInputsAtOnce, index.inputs);
    forward.read_inputs(tile, begin, end, x_tile);
  });

  const auto cuts = cut_rows(index.row_ptr, index.outputs, parts);
  parallel_for(int(cuts.size()) - 1, [&](int part) {
    forward.weight.write_outputs(tile, x_tile, cuts[part], cuts[part + 1],
                                 forward.y);
  });
}

template <class Column>
void multiply(const Forward<Column>& forward, int64_t batch) {
  if (batch == 1) return multiply_vector(forward);

  const auto tiles = tiles_of(0, batch, kWidestForward, kNarrowestForward);
  const int parts = parts_for(batch * forward.weight.index.connections);
  if (parts == 1 || int(tiles.size()) >= threads()) {
    multiply_tiles(forward, tiles);
  } else {
    for (const Tile& tile : tiles) multiply_tile(forward, tile, parts);
  }
}

}  // namespace
}  // namespace rigl

const char* rigl_spmm(const RiglIndex* index, const float* values,
                      const float* bias, const float* x, int64_t batch,
                      float* y) {
  using namespace rigl;
  if (const char* error = check_forward(*index)) return error;
  if (batch <= 0 || index->outputs == 0) return nullptr;
  return guarded([&]() -> const char* {
    with_columns(index->cols, index->column_bytes, [&](auto* cols) {
      using Column = std::remove_cv_t<std::remove_pointer_t<decltype(cols)>>;
      multiply(
          Forward<Column>{{kernels(), *index, cols, values, bias}, x, y},
          batch);
    });
    return nullptr;
  });
}
