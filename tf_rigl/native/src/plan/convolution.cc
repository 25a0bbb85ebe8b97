// Convolutions of images: sums of shifted planes.

#include <algorithm>
#include <cstring>

#include "bounds.h"
#include "blocks.h"
#include "windows.h"

namespace rigl::plan {
namespace {

// From this density on, shared loads win over fewer multiply-adds.
constexpr double kDenseFrom = 0.5;
// Floats of an input that stays in the second cache.
constexpr int64_t kSmallInput = 512 * 1024 / sizeof(float);
// Rows among which the order is free: threads divide sets of them.
constexpr int kRowsOfSet = 64;

bool is_better_dense(const Weight& weight, int groups) {
  const double density =
      weight.is_dense()
          ? 1
          : double(weight.connections) / weight.rows / weight.places;
  return density >= kDenseFrom && weight.rows / groups >= kFewestDenseRows;
}

// Parts of a depthwise convolution that have memory to copy a channel.
constexpr int kMostCopies = 8;

struct ConvolutionStep : Step {
  ConvolutionStep(const Making& making, const Operation& one)
      : one(one),
        windows(making, one,
                one.groups > 1 && reads_alone(making.program, one)),
        channels(making.place(one.inputs[0]).c / one.groups),
        rows_of_group(one.weight.rows / one.groups),
        is_dense(is_better_dense(one.weight, one.groups)) {
    copies_alone =
        reads_alone(making.program, one) && !is_direct(making.program, one);
    copy_floats = rounded(windows.temporary_floats());
    temporary_floats = copy_floats * (copies_alone ? kMostCopies : 1);
    if (is_dense) {
      make_dense_rows(making.place(one.output));
    } else {
      make_sparse_rows(making);
    }
  }

  int32_t offset(int place, int group) const {
    return windows.offset(place / channels, place % channels) +
           int32_t(group * channels * windows.channel_stride());
  }

  void make_dense_rows(const Place& out) {
    const Weight& weight = one.weight;
    for (int place = 0; place < weight.places; place++) {
      offsets.push_back(offset(place, 0));
    }
    const auto [least, most] =
        std::minmax_element(offsets.begin(), offsets.end());
    by_block = *most - *least + out.h * out.pitch <= kSmallInput;

    const int blocks = (rows_of_group + kDenseRows - 1) / kDenseRows;
    group_floats = int64_t(blocks) * kDenseRows * weight.places;
    packed.resize(group_floats * one.groups);
    const auto slot = [&](int row, int place) -> float& {
      const int in_group = row % rows_of_group;
      const int64_t block = in_group - in_group % kDenseRows;
      return packed[row / rows_of_group * group_floats +
                    block * weight.places + int64_t(place) * kDenseRows +
                    in_group % kDenseRows];
    };
    if (weight.is_dense()) {
      for (int row = 0; row < weight.rows; row++) {
        for (int place = 0; place < weight.places; place++) {
          slot(row, place) = weight.values[int64_t(row) * weight.places + place];
        }
      }
      return;
    }
    with_columns(weight.cols, weight.column_bytes, [&](auto* cols) {
      for (int row = 0; row < weight.rows; row++) {
        for (int j = weight.row_ptr[row]; j < weight.row_ptr[row + 1]; j++) {
          slot(row, int(cols[j])) = weight.values[j];
        }
      }
    });
  }

  void make_sparse_rows(const Making& making) {
    const Place& out = making.place(one.output);
    const int64_t positions = (out.h - 1) * out.pitch + out.w;
    by_row = reads_alone(making.program, one);
    const int64_t all_vectors = (positions + 15) / 16;
    Blocking blocking{all_vectors <= 14 ? int(all_vectors) : 8, channels};
    if (!by_row) {
      blocking = choose_blocking(one.weight, channels, positions,
                                 windows.halo(), plan_kernels().lanes);
      if (one.groups > 1) blocking.channels = channels;
    }
    vectors = blocking.vectors;
    sparse = std::make_unique<SparseBlocks>(one, channels, windows, blocking,
                                            by_row ? 1 : kRowsOfSet);
  }

  void run(const Context& context) const override {
    const View out = context.view(one.output);
    const float* in = copies_alone ? nullptr
                                   : windows.read(context, temporary(context));

    Planes planes{in,      out.data,        out.channel_stride,
                  nullptr, 0,               out.run(),
                  one.weight.bias, one.activation, one.slope};
    if (one.inputs.size() == 2) {
      const View residual = context.view(one.inputs[1]);
      planes.residual = residual.data;
      planes.residual_stride = residual.channel_stride;
    }
    if (is_dense) {
      run_dense(context, planes);
    } else {
      run_sparse(context, planes);
    }
    finish(context, one);
  }

  void run_sparse(const Context& context, const Planes& planes) const {
    const int sets = sparse->sets();
    const int64_t work = sparse->work()[sets] * planes.positions;
    const int wanted = context.split ? parts_for(work) : 1;
    const int64_t tile = int64_t(vectors) * context.kernels.lanes;
    const int64_t tiles = (planes.positions + tile - 1) / tile;
    if (!by_row && sets < wanted && sets < tiles) {
      const int most = int(std::min<int64_t>(wanted, tiles));
      return run_tiles(context, planes, tile, most);
    }
    const int parts = std::min(wanted, copies_alone ? kMostCopies : sets);
    const auto cuts = cut_rows(sparse->work(), sets, parts);

    const auto part = [&](int number) {
      const int begin = cuts[number], end = cuts[number + 1];
      const int at_once = by_row ? 1 : end - begin;
      Planes here = planes;
      for (int set = begin; set < end; set += at_once) {
        if (copies_alone && (set == begin || set % rows_of_group == 0)) {
          here.in = windows.read_one(
              context, set / rows_of_group,
              temporary(context) + number * copy_floats);
        }
        context.kernels.sparse_planes(sparse->rows_of_sets(set, set + at_once),
                                      here, vectors);
      }
      clear_borders(context, one.output, sparse->row(begin), sparse->row(end));
    };
    if (cuts.size() == 2) return part(0);
    parallel_for(int(cuts.size()) - 1, part);
  }

  // Few rows: parts are of positions, in whole tiles, so that no sum depends on
  // them.
  void run_tiles(const Context& context, const Planes& planes, int64_t tile,
                 int parts) const {
    const int64_t tiles = (planes.positions + tile - 1) / tile;
    const SparseRows rows = sparse->rows_of_sets(0, sparse->sets());
    parallel_for(parts, [&](int part) {
      const int64_t begin = tiles * part / parts * tile;
      const int64_t end = tiles * (part + 1) / parts * tile;
      Planes here = planes;
      here.in += begin;
      here.out += begin;
      if (here.residual) here.residual += begin;
      here.positions = std::min(end, planes.positions) - begin;
      context.kernels.sparse_planes(rows, here, vectors);
    });
    for_parts(context, rows.rows * planes.positions, rows.rows,
              [&](int begin, int end) {
                clear_borders(context, one.output, begin, end);
              });
  }

  void run_dense(const Context& context, const Planes& planes) const {
    const int blocks = (rows_of_group + kDenseRows - 1) / kDenseRows;
    const int64_t work = int64_t(one.weight.rows) * one.weight.places *
                         planes.positions;
    for_parts(context, work, blocks * one.groups, [&](int begin, int end) {
      for (int block = begin; block < end;) {
        const int group = block / blocks;
        const int next = std::min(end, (group + 1) * blocks);
        run_group(context, planes, group, (block - group * blocks) * kDenseRows,
                  std::min((next - group * blocks) * kDenseRows,
                           rows_of_group));
        block = next;
      }
    });
  }

  void run_group(const Context& context, Planes planes, int group, int begin,
                 int end) const {
    const int row = group * rows_of_group;
    planes.in += group * channels * windows.channel_stride();
    planes.out += row * planes.out_stride;
    if (planes.residual) planes.residual += row * planes.residual_stride;
    if (planes.bias) planes.bias += row;
    const DenseRows rows{begin, end, one.weight.places, offsets.data(),
                         packed.data() + group * group_floats, by_block};
    context.kernels.dense_planes(rows, planes);
    clear_borders(context, one.output, row + begin, row + end);
  }

  const Operation& one;
  const Windows windows;
  const int channels;  // of a group
  const int rows_of_group;
  const bool is_dense;

  bool copies_alone = false;
  int64_t copy_floats = 0;

  // Of a sparse kernel.
  std::unique_ptr<SparseBlocks> sparse;
  int vectors = 1;
  bool by_row = false;

  // Of a dense kernel.
  std::vector<int32_t> offsets;  // of each place
  std::vector<float> packed;
  int64_t group_floats = 0;
  bool by_block = false;
};

}  // namespace

NewStep make_convolution(const Making& making, const Operation& one) {
  if (making.program.shapes[one.output].is_vector()) {
    return make_one_window(making, one);
  }
  if (is_depthwise(making.program, one)) return make_depthwise(making, one);
  return std::make_unique<ConvolutionStep>(making, one);
}

}  // namespace rigl::plan
