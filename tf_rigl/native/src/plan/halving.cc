// Depthwise convolutions of stride 2.

#include <algorithm>

#include "bounds.h"
#include "steps.h"

namespace rigl::plan {
namespace {

// Parts that have memory for a channel.
constexpr int kMostParts = 8;
// What the kernel may read after the last row.
constexpr int64_t kReadAfter = 64;

// Each channel is copied with the zeros around it, which stays in the first
// cache. Copies of its four phases would take longer than the sums.
struct HalvingStep : Step {
  HalvingStep(const Making& making, const Operation& one)
      : one(one),
        taps(one.window.height * one.window.width),
        multiplier(one.weight.rows / one.groups) {
    const Place& in = making.place(one.inputs[0]);
    const Window& window = one.window;
    rows = in.h + window.top + window.bottom;
    columns = in.w + window.left + window.right;
    pitch = rounded(columns);
    floats = rounded(rows * pitch + kReadAfter);
    temporary_floats = floats * kMostParts;

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
    const int64_t work = out.c * out.run() * taps;
    const int parts =
        context.split
            ? std::min({parts_for(work), kMostParts, one.groups})
            : 1;
    const auto part = [&](int number) {
      float* copy = temporary(context) + number * floats;
      const int begin = int(int64_t(one.groups) * number / parts);
      const int end = int(int64_t(one.groups) * (number + 1) / parts);
      for (int channel = begin; channel < end; channel++) {
        read(context, in, channel, copy);
        for (int i = 0; i < multiplier; i++) {
          run_row(context, copy, channel * multiplier + i, out);
        }
      }
      clear_borders(context, one.output, begin * multiplier, end * multiplier);
    };
    if (parts == 1) {
      part(0);
    } else {
      parallel_for(parts, part);
    }
    finish(context, one);
  }

  void read(const Context& context, const View& in, int channel,
            float* to) const {
    const Window& window = one.window;
    float* first = to + window.top * pitch + window.left;
    context.kernels.take_rows(in.channel(channel), in.pitch, 1, first, pitch,
                              in.h, in.w);
    // Afterwards, because rows are copied by whole vectors.
    std::fill_n(to, window.top * pitch, 0.0f);
    std::fill_n(first - window.left + in.h * pitch, window.bottom * pitch,
                0.0f);
    for (int y = 0; y < in.h; y++, first += pitch) {
      for (int x = 1; x <= window.left; x++) first[-x] = 0;
      for (int x = 0; x < window.right; x++) first[in.w + x] = 0;
    }
  }

  void run_row(const Context& context, const float* copy, int row,
               const View& out) const {
    context.kernels.halve({copy, pitch, one.window.height, one.window.width,
                           &weights[size_t(row) * taps],
                           one.weight.bias ? one.weight.bias[row] : 0,
                           out.channel(row), out.pitch, out.h, out.w,
                           one.activation, one.slope});
  }

  const Operation& one;
  const int taps;
  const int multiplier;
  int rows, columns;  // of a channel with its zeros
  int64_t pitch, floats;
  std::vector<float> weights;  // [outputs][taps]
};

}  // namespace

NewStep make_halving(const Making& making, const Operation& one) {
  return std::make_unique<HalvingStep>(making, one);
}

}  // namespace rigl::plan
