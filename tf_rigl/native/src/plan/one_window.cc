// Convolutions with one window: dense layers of what is in it.

#include "bounds.h"
#include "vector_product.h"

namespace rigl::plan {
namespace {

struct OneWindowStep : Step {
  OneWindowStep(const Making& making, const Operation& one)
      : one(one),
        from(making.program.shapes[one.inputs[0]]),
        weight(whole_weight(one, from.c)),
        product(weight) {
    const Window& window = one.window;
    is_read_in_place = from.is_vector() && window.is_single();
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

  void add_products(std::vector<const VectorProduct*>& all) const override {
    all.push_back(&product);
  }

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

NewStep make_one_window(const Making& making, const Operation& one) {
  return std::make_unique<OneWindowStep>(making, one);
}

}  // namespace rigl::plan
