// Depthwise convolutions of strides 1 and 2.

#include <algorithm>

#include "bounds.h"
#include "steps.h"

namespace rigl::plan {
namespace {

// The input is read where it is, with the zeros around it. A copy of it by the
// phases of strides would take longer than the sums.
struct DepthwiseStep : Step {
  explicit DepthwiseStep(const Operation& one)
      : one(one), taps(one.window.height * one.window.width) {
    weights.resize(size_t(one.weight.rows) * taps);
    const Weight& weight = one.weight;
    if (weight.is_dense()) {
      std::copy_n(weight.values, weights.size(), weights.begin());
      return;
    }
    with_columns(weight.cols, weight.column_bytes, [&](auto* cols) {
      for (int row = 0; row < weight.rows; row++) {
        for (int j = weight.row_ptr[row]; j < weight.row_ptr[row + 1]; j++) {
          weights[size_t(row) * taps + cols[j]] = weight.values[j];
        }
      }
    });
  }

  void run(const Context& context) const override {
    const View in = context.view(one.inputs[0]);
    const View out = context.view(one.output);
    const Window& window = one.window;
    const Depthwise here{in.data - window.top * in.pitch - window.left,
                         in.channel_stride,
                         in.pitch,
                         one.weight.rows / one.groups,
                         window.stride_y,
                         window.height,
                         window.width,
                         weights.data(),
                         one.weight.bias,
                         out.data,
                         out.channel_stride,
                         out.pitch,
                         out.h,
                         out.w,
                         one.activation,
                         one.slope};
    const int64_t work = out.c * out.run() * (taps + kMoved);
    for_parts(context, work, out.c, [&](int begin, int end) {
      context.kernels.depthwise(here, begin, end);
      clear_borders(context, one.output, begin, end);
    });
    finish(context, one);
  }

  const Operation& one;
  const int taps;
  std::vector<float> weights;  // [outputs][taps]
};

}  // namespace

NewStep make_depthwise(const Making&, const Operation& one) {
  return std::make_unique<DepthwiseStep>(one);
}

}  // namespace rigl::plan
