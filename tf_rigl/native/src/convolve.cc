// The forward pass of convolutions.

#include <algorithm>

#include "bounds.h"
#include "convolution.h"
#include "forward.h"
#include "kernels.h"
#include "partition.h"
#include "pool.h"
#include "rigl.h"
#include "scratch.h"

namespace rigl {
namespace {

template <class Column>
struct Forward {
  ForwardWeight<Column> weight;
  const Planes& inputs;
};

// Copies what all positions of the window see of a tile's columns.
template <class Column>
void read_inputs(const Forward<Column>& call, const Tile& tile,
                 const float* planes, float* x_tile) {
  const std::vector<Run> runs = call.inputs.runs(tile);
  const int channels = call.inputs.channels();
  for (int position = 0; position < call.inputs.positions(); position++) {
    call.weight.all.copy_runs(planes + call.inputs.start(position),
                              call.inputs.stride(), runs.data(),
                              int(runs.size()), channels, tile.w,
                              x_tile + size_t(position) * channels * tile.w);
  }
  clear_rest(tile, call.weight.index.inputs, x_tile);
}

// Convolves images whose planes fit the cache: each tile is a task.
template <class Column>
void convolve_group(const Forward<Column>& call, int64_t images,
                    const float* planes, float* x_tiles, int most_tasks,
                    float* y) {
  const RiglIndex& index = call.weight.index;
  const int64_t positions = images * call.inputs.outputs();
  const auto tiles =
      tiles_of(0, positions, kWidestForward, kNarrowestForward);
  const int64_t work =
      (int64_t(index.connections) + index.inputs) * positions;
  const int tasks =
      std::min({most_tasks, int(tiles.size()), std::max(1, parts_for(work))});

  parallel_for(tasks, [&](int task) {
    float* x_tile = x_tiles + size_t(task) * index.inputs * kWidestForward;
    for (size_t i = task; i < tiles.size(); i += tasks) {
      read_inputs(call, tiles[i], planes, x_tile);
      call.weight.write_outputs(tiles[i], x_tile, 0, index.outputs, y);
    }
  });
}

template <class Column>
void convolve(const Forward<Column>& call, const float* x, int64_t batch,
              int64_t x_size, float* y) {
  const int64_t group = std::min(batch, call.inputs.group());
  const int most_tasks = std::max(1, parts_for(INT32_MAX));
  const Scratch planes(call.inputs.size(group));
  const RiglIndex& index = call.weight.index;
  const Scratch x_tiles(size_t(index.inputs) * kWidestForward * most_tasks);
  std::fill_n(planes.data(), call.inputs.size(group), 0.0f);

  const int64_t y_size = int64_t(call.inputs.outputs()) * index.outputs;
  for (int64_t first = 0; first < batch; first += group) {
    const int64_t images = std::min(group, batch - first);
    call.inputs.read(call.weight.all, x + first * x_size, images, planes.data());
    convolve_group(call, images, planes.data(), x_tiles.data(), most_tasks,
                   y + first * y_size);
  }
}

}  // namespace
}  // namespace rigl

const char* rigl_convolve(const RiglIndex* index,
                          const RiglConvolution* convolution,
                          const float* values, const float* bias,
                          const float* x, int64_t batch, float* y) {
  using namespace rigl;
  if (const char* error = check_forward(*index)) return error;
  if (const char* error = check_convolution(*convolution, *index)) return error;
  if (batch <= 0 || index->outputs == 0) return nullptr;
  return guarded([&]() -> const char* {
    const Planes inputs(*convolution);
    const int64_t x_size = int64_t(convolution->height) * convolution->width *
                           convolution->channels;
    with_columns(index->cols, index->column_bytes, [&](auto* cols) {
      using Column = std::remove_cv_t<std::remove_pointer_t<decltype(cols)>>;
      convolve(
          Forward<Column>{{kernels(), *index, cols, values, bias}, inputs}, x,
          batch, x_size, y);
    });
    return nullptr;
  });
}
