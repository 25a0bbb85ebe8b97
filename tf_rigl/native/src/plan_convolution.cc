// Convolutions of images: sums of shifted planes.

#include <algorithm>
#include <cstring>

#include "bounds.h"
#include "plan_product.h"
#include "plan_windows.h"

namespace rigl::plan {
namespace {

// From this density on, shared loads win over fewer multiply-adds.
constexpr double kDenseFrom = 0.5;
// Kernels with fewer outputs in a group share too little.
constexpr int kFewestDenseRows = 3;
// Of outputs that read few places, all positions of one come before the next:
// its planes stay in the first cache.
constexpr int kFewPlaces = 64;

bool is_better_dense(const Weight& weight, int groups) {
  const double density =
      weight.is_dense()
          ? 1
          : double(weight.connections) / weight.rows / weight.places;
  return density >= kDenseFrom && weight.rows / groups >= kFewestDenseRows;
}

// Vectors that are computed at once: as many tiles as must be, equally long.
int choose_vectors(int64_t positions, int lanes) {
  const int most = lanes == 16 ? 14 : 8;
  const int64_t vectors = (positions + lanes - 1) / lanes;
  if (vectors <= most) return int(vectors);
  const int64_t tiles = (vectors + 7) / 8;
  return int((vectors + tiles - 1) / tiles);
}

struct ConvolutionStep : Step {
  ConvolutionStep(const Making& making, const Operation& one)
      : one(one),
        windows(making, one),
        channels(making.place(one.inputs[0]).c / one.groups),
        rows_of_group(one.weight.rows / one.groups),
        is_dense(is_better_dense(one.weight, one.groups)) {
    temporary_floats = windows.temporary_floats();
    if (is_dense) {
      make_dense_rows();
    } else {
      make_sparse_rows();
    }
  }

  int32_t offset(int place, int group) const {
    return windows.offset(place / channels, place % channels) +
           int32_t(group * channels * windows.channel_stride());
  }

  void make_dense_rows() {
    const Weight& weight = one.weight;
    for (int place = 0; place < weight.places; place++) {
      offsets.push_back(offset(place, 0));
    }
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

  void make_sparse_rows() {
    const Weight& weight = one.weight;
    row_ptr = weight.row_ptr;
    if (weight.is_dense()) {
      const int64_t count = int64_t(weight.rows) * weight.places;
      if (count > INT32_MAX) throw Refused{"A kernel of the plan is too large."};
      all_rows.resize(weight.rows + 1);
      offsets.resize(count);
      for (int row = 0; row < weight.rows; row++) {
        all_rows[row + 1] = all_rows[row] + weight.places;
        for (int place = 0; place < weight.places; place++) {
          offsets[all_rows[row] + place] = offset(place, row / rows_of_group);
        }
      }
      row_ptr = all_rows.data();
      return;
    }
    offsets.resize(weight.connections);
    with_columns(weight.cols, weight.column_bytes, [&](auto* cols) {
      for (int row = 0; row < weight.rows; row++) {
        for (int j = row_ptr[row]; j < row_ptr[row + 1]; j++) {
          offsets[j] = offset(int(cols[j]), row / rows_of_group);
        }
      }
    });
  }

  void run(const Context& context) const override {
    const View out = context.view(one.output);
    const float* in = windows.read(context, temporary(context));

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
    const int rows = one.weight.rows;
    const int64_t work = row_ptr[rows] * planes.positions;
    const auto cuts =
        cut_rows(row_ptr, rows, context.split ? parts_for(work) : 1);
    const int vectors =
        choose_vectors(planes.positions, context.kernels.lanes);
    const bool by_row = one.weight.places <= kFewPlaces;

    const auto part = [&](int number) {
      const int begin = cuts[number], end = cuts[number + 1];
      const int rows_at_once = by_row ? 1 : end - begin;
      for (int row = begin; row < end; row += rows_at_once) {
        const SparseRows some{row, row + rows_at_once, row_ptr, offsets.data(),
                              one.weight.values};
        context.kernels.sparse_planes(some, planes, vectors);
      }
      clear_borders(context, one.output, begin, end);
    };
    if (cuts.size() == 2) return part(0);
    parallel_for(int(cuts.size()) - 1, part);
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
                         packed.data() + group * group_floats};
    context.kernels.dense_planes(rows, planes);
    clear_borders(context, one.output, row + begin, row + end);
  }

  const Operation& one;
  const Windows windows;
  const int channels;  // of a group
  const int rows_of_group;
  const bool is_dense;

  const int32_t* row_ptr = nullptr;
  std::vector<int32_t> all_rows;  // of a weight without row_ptr
  std::vector<int32_t> offsets;   // of each connection, or of each place
  std::vector<float> packed;      // of dense kernels
  int64_t group_floats = 0;
};

// A convolution with one window: a dense layer of what is in it.
struct OneWindowStep : Step {
  OneWindowStep(const Making& making, const Operation& one)
      : one(one),
        from(making.program.shapes[one.inputs[0]]),
        weight(whole_weight(one, from.c)),
        product(weight) {
    const Window& window = one.window;
    is_read_in_place = from.is_vector() && window.height * window.width == 1;
    if (!is_read_in_place) {
      window_floats =
          rounded(int64_t(window.height) * window.width * from.c) + kSlack;
    }
    temporary_floats = window_floats + product.temporary_floats();
    narrowest = product.narrowest();
  }

  // Places among those of all groups.
  Weight whole_weight(const Operation& one, int all_channels) {
    Weight weight = one.weight;
    const int channels = all_channels / one.groups;
    if (one.groups == 1) return weight;
    const int rows_of_group = weight.rows / one.groups;
    const int taps = one.window.height * one.window.width;
    if (int64_t(taps) * all_channels > INT32_MAX) {
      throw Refused{"A kernel of the plan is too large."};
    }
    ptr.push_back(0);
    for (int row = 0; row < weight.rows; row++) {
      const auto add = [&](int place) {
        cols.push_back(place / channels * all_channels +
                       row / rows_of_group * channels + place % channels);
      };
      if (weight.is_dense()) {
        for (int place = 0; place < weight.places; place++) add(place);
      } else {
        with_columns(weight.cols, weight.column_bytes, [&](auto* places) {
          for (int j = weight.row_ptr[row]; j < weight.row_ptr[row + 1]; j++) {
            add(int(places[j]));
          }
        });
      }
      if (cols.size() > INT32_MAX) {
        throw Refused{"A kernel of the plan is too large."};
      }
      ptr.push_back(int32_t(cols.size()));
    }
    weight.row_ptr = ptr.data();
    weight.cols = cols.data();
    weight.column_bytes = 4;
    weight.connections = int(cols.size());
    weight.places = taps * all_channels;
    return weight;
  }

  void prepare(int tile) const override { product.prepare(tile); }

  void run(const Context& context) const override {
    const View in = context.view(one.inputs[0]);
    const View out = context.view(one.output);
    float* memory = temporary(context);
    const float* x = in.data;
    if (!is_read_in_place) {
      read_window(in, memory);
      x = memory;
    }
    product.run(context, x, out.data, memory + window_floats * context.tile);
    if (one.inputs.size() == 2) {
      context.kernels.add(out.data, context.view(one.inputs[1]).data, out.data,
                          out.c * out.run());
    }
    activate(context, one, 0, out.c);
    finish(context, one);
  }

  void read_window(const View& in, float* to) const {
    const Window& window = one.window;
    for (int y = 0; y < window.height; y++) {
      for (int x = 0; x < window.width; x++, to += in.c) {
        const int from_y = y * window.dilation_y - window.top;
        const int from_x = x * window.dilation_x - window.left;
        const bool inside =
            from_y >= 0 && from_y < in.h && from_x >= 0 && from_x < in.w;
        for (int c = 0; c < in.c; c++) {
          to[c] = inside ? in.channel(c)[from_y * in.pitch + from_x] : 0;
        }
      }
    }
  }

  const Operation& one;
  const Shape from;
  std::vector<int32_t> ptr, cols;  // of `weight`, unless they are in the file
  const Weight weight;
  const VectorProduct product;
  bool is_read_in_place = false;
  int64_t window_floats = 0;
};

}  // namespace

NewStep make_convolution(const Making& making, const Operation& one) {
  if (making.program.shapes[one.output].is_vector()) {
    return std::make_unique<OneWindowStep>(making, one);
  }
  return std::make_unique<ConvolutionStep>(making, one);
}

}  // namespace rigl::plan
