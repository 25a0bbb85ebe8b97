// The backward pass of convolutions: gradients of inputs, values and bias.
//
// It is the one of spmm_grad.cc over tiles of outputs of several images. What it
// finds for the inputs of a window is added to planes of the inputs' gradients.

#include <algorithm>

#include "bounds.h"
#include "convolution.h"
#include "kernels.h"
#include "partition.h"
#include "pool.h"
#include "rigl.h"
#include "scratch.h"

namespace rigl {
namespace {

constexpr int kNarrowest = 16;
constexpr int kChannelsAtOnce = 128;

int widest_tile(int lanes) { return std::max(4 * lanes, kNarrowest); }

template <class Column, class TColumn>
struct Backward {
  const Kernels& all;
  const RiglIndex& index;
  const Planes& inputs;
  const Column* cols;
  const TColumn* t_cols;
  const float* values;
  float* dvalues;
  float* dbias;
  bool wants_dx;

  int widest;
  const float* t_values = nullptr;  // values, ordered by (input, output)
  float* x_planes = nullptr;
  float* dx_planes = nullptr;

  // Some tiles of the images in the planes, and their copies.
  std::vector<Tile> tiles = {};
  std::vector<std::vector<Run>> runs = {};
  float* x_tiles = nullptr;
  float* dy_tiles = nullptr;
  bool is_first = true;

  float* x_tile(int number) const {
    return x_tiles + size_t(number) * widest * index.inputs;
  }
  float* dy_tile(int number) const {
    return dy_tiles + size_t(number) * widest * index.outputs;
  }
};

template <class Column, class TColumn>
void copy_tiles(const Backward<Column, TColumn>& call, const float* dy) {
  const int positions = call.inputs.positions();
  const int channels = call.inputs.channels();
  const int outputs = call.index.outputs;
  // The last task of each tile is the gradient of its outputs.
  parallel_for((positions + 1) * int(call.tiles.size()), [&](int task) {
    const int number = task / (positions + 1);
    const int position = task % (positions + 1);
    const Tile& tile = call.tiles[number];
    if (position == positions) {
      call.all.to_tile(dy + tile.first * outputs, outputs, tile.rows, outputs,
                       tile.w, call.dy_tile(number));
      return;
    }
    const std::vector<Run>& runs = call.runs[number];
    float* to = call.x_tile(number) + size_t(position) * channels * tile.w;
    call.all.copy_runs(call.x_planes + call.inputs.start(position),
                       call.inputs.stride(), runs.data(), int(runs.size()),
                       channels, tile.w, to);
    clear_rest(tile, channels, to);
  });
}

// Of a range of outputs: the gradients of values and bias.
template <class Column, class TColumn>
void differentiate_outputs(const Backward<Column, TColumn>& call, int begin,
                           int end) {
  for (int number = 0; number < int(call.tiles.size()); number++) {
    const bool add = !call.is_first || number > 0;
    const int w = call.tiles[number].w;
    const float* dy_tile = call.dy_tile(number);
    call.all.template of<Column>().values_gradient(
        {begin, end, call.index.row_ptr, call.cols}, call.x_tile(number),
        dy_tile, w, add, call.dvalues);

    for (int row = begin; row < end; row++) {
      float sum = 0;
      for (int b = 0; b < w; b++) sum += dy_tile[size_t(row) * w + b];
      call.dbias[row] = add ? call.dbias[row] + sum : sum;
    }
  }
}

// Of a range of channels: the gradient of their planes, which other channels do
// not touch.
template <class Column, class TColumn>
void differentiate_channels(const Backward<Column, TColumn>& call, int begin,
                            int end) {
  alignas(64) float out[kChannelsAtOnce * 64];
  const int channels = call.inputs.channels();
  const int64_t stride = call.inputs.stride();

  for (int number = 0; number < int(call.tiles.size()); number++) {
    const std::vector<Run>& runs = call.runs[number];
    const int w = call.tiles[number].w;
    for (int position = 0; position < call.inputs.positions(); position++) {
      float* to = call.dx_planes + call.inputs.start(position);
      for (int channel = begin; channel < end; channel += kChannelsAtOnce) {
        const int count = std::min(kChannelsAtOnce, end - channel);
        const int row = position * channels + channel;
        call.all.template of<TColumn>().product(
            {row, row + count, call.index.t_ptr, call.t_cols}, call.t_values,
            nullptr, call.dy_tile(number), w, out);
        call.all.add_runs(out, w, count, runs.data(), int(runs.size()),
                          to + channel * stride, stride);
      }
    }
  }
}

template <class Column, class TColumn>
void differentiate_tiles(const Backward<Column, TColumn>& call,
                         const float* dy) {
  const RiglIndex& index = call.index;
  const int64_t columns = int64_t(call.tiles.size()) * call.widest;
  const int parts = parts_for(index.connections * columns);
  copy_tiles(call, dy);

  const auto cuts = cut_rows(index.row_ptr, index.outputs, parts);
  parallel_for(int(cuts.size()) - 1, [&](int range) {
    differentiate_outputs(call, cuts[range], cuts[range + 1]);
  });
  if (!call.wants_dx) return;

  const int channels = call.inputs.channels();
  const int ranges = std::min(parts, channels);
  parallel_for(ranges, [&](int range) {
    differentiate_channels(call, int(int64_t(channels) * range / ranges),
                           int(int64_t(channels) * (range + 1) / ranges));
  });
}

// Columns that are worked on together: within a megabyte.
int tiles_at_once(const RiglIndex& index, int widest) {
  const int64_t features = int64_t(index.inputs) + index.outputs;
  const int64_t fitting = (int64_t(1) << 18) / (features * widest);
  return int(std::max<int64_t>(1, std::min<int64_t>(fitting, 16)));
}

template <class Column, class TColumn>
void differentiate(Backward<Column, TColumn> call, const float* x,
                   const float* dy, int64_t batch, int64_t x_size, float* dx) {
  const RiglIndex& index = call.index;
  const Planes& inputs = call.inputs;
  const int64_t group = std::min(batch, inputs.group());
  const int at_once = tiles_at_once(index, call.widest);

  const Scratch x_planes(inputs.size(group));
  const Scratch dx_planes(dx ? inputs.size(group) : 0);
  const Scratch x_tiles(size_t(at_once) * call.widest * index.inputs);
  const Scratch dy_tiles(size_t(at_once) * call.widest * index.outputs);
  const Scratch t_values(dx ? index.connections : 0);
  call.x_planes = x_planes.data();
  call.dx_planes = dx_planes.data();
  call.x_tiles = x_tiles.data();
  call.dy_tiles = dy_tiles.data();
  call.t_values = t_values.data();
  std::fill_n(call.x_planes, inputs.size(group), 0.0f);
  if (dx) {
    for (int j = 0; j < index.connections; j++) {
      t_values.data()[j] = call.values[index.t_perm[j]];
    }
  }

  const int64_t y_size = int64_t(inputs.outputs()) * index.outputs;
  for (int64_t first = 0; first < batch; first += group) {
    const int64_t images = std::min(group, batch - first);
    inputs.read(call.all, x + first * x_size, images, call.x_planes);
    if (dx) std::fill_n(call.dx_planes, inputs.size(images), 0.0f);

    const auto tiles =
        tiles_of(0, images * inputs.outputs(), call.widest, kNarrowest);
    for (size_t next = 0; next < tiles.size(); next += at_once) {
      const size_t end = std::min(tiles.size(), next + at_once);
      call.tiles.assign(tiles.begin() + next, tiles.begin() + end);
      call.runs.clear();
      for (const Tile& tile : call.tiles) {
        call.runs.push_back(inputs.runs(tile));
      }
      differentiate_tiles(call, dy + first * y_size);
      call.is_first = false;
    }
    if (dx) {
      inputs.write(call.all, call.dx_planes, images, dx + first * x_size);
    }
  }
}

}  // namespace
}  // namespace rigl

const char* rigl_convolve_grad(const RiglIndex* index,
                               const RiglConvolution* convolution,
                               const float* values, const float* x,
                               const float* dy, int64_t batch, float* dx,
                               float* dvalues, float* dbias) {
  using namespace rigl;
  if (const char* error = check_forward(*index)) return error;
  if (const char* error = check_transposed(*index)) return error;
  if (const char* error = check_permutation(*index)) return error;
  if (const char* error = check_convolution(*convolution, *index)) return error;
  const int64_t x_size = int64_t(convolution->height) * convolution->width *
                         convolution->channels;
  if (batch <= 0 || index->outputs == 0) {
    std::fill_n(dvalues, index->connections, 0.0f);
    std::fill_n(dbias, index->outputs, 0.0f);
    if (dx) std::fill_n(dx, std::max<int64_t>(batch, 0) * x_size, 0.0f);
    return nullptr;
  }
  return guarded([&]() -> const char* {
    const Planes inputs(*convolution);
    with_columns(index->cols, index->column_bytes, [&](auto* cols) {
      with_columns(index->t_cols, index->t_column_bytes, [&](auto* t_cols) {
        using Column = std::remove_cv_t<std::remove_pointer_t<decltype(cols)>>;
        using TColumn =
            std::remove_cv_t<std::remove_pointer_t<decltype(t_cols)>>;
        Backward<Column, TColumn> call{
            kernels(), *index,  inputs, cols,          t_cols,
            values,    dvalues, dbias,  dx != nullptr, 0};
        call.widest = widest_tile(call.all.lanes);
        differentiate(call, x, dy, batch, x_size, dx);
      });
    });
    return nullptr;
  });
}
