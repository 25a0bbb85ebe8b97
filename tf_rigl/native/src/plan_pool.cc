// The largest or the mean element of windows.

#include <algorithm>

#include "plan_steps.h"

namespace rigl::plan {
namespace {

// Which elements of the padded input windows read, in one dimension.
struct Axis {
  int size, stride, before, length;

  // Of tap `tap`: the outputs [begin, end) whose element is no padding.
  int begin(int tap) const {
    const int first = before - tap;
    return first > 0 ? (first + stride - 1) / stride : 0;
  }
  int end(int tap, int outputs) const {
    const int last = length - 1 - tap + before;
    return last < 0 ? 0 : std::min(outputs, last / stride + 1);
  }
  // How many elements that are no padding the window of an output has.
  int count(int output) const {
    const int first = output * stride - before;
    return std::min(first + size, length) - std::max(first, 0);
  }
};

struct PoolStep : Step {
  PoolStep(const Making& making, const Operation& one)
      : one(one),
        vertical{one.window.height, one.window.stride_y, one.window.top,
                 making.place(one.inputs[0]).h},
        horizontal{one.window.width, one.window.stride_x, one.window.left,
                   making.place(one.inputs[0]).w} {
    const int outputs = making.place(one.output).w;
    for (int x = 0; x < outputs; x++) {
      factors.push_back(1.0f / horizontal.count(x));
    }
  }

  void run(const Context& context) const override {
    const View in = context.view(one.inputs[0]);
    const View out = context.view(one.output);
    const int64_t work = out.c * out.run() * vertical.size * horizontal.size;
    for_parts(context, work, out.c, [&](int begin, int end) {
      for (int c = begin; c < end; c++) {
        for (int y = 0; y < out.h; y++) {
          run_row(context.kernels, in.channel(c), in.pitch, y,
                  out.channel(c) + y * out.pitch, out.w);
        }
      }
      clear_borders(context, one.output, begin, end);
    });
  }

  void run_row(const PlanKernels& kernels, const float* in, int64_t pitch,
               int y, float* out, int outputs) const {
    const bool mean = one.is_average;
    std::fill_n(out, outputs, mean ? 0.0f : -__builtin_inff());
    for (int tap_y = 0; tap_y < vertical.size; tap_y++) {
      const int from_y = y * vertical.stride + tap_y - vertical.before;
      if (from_y < 0 || from_y >= vertical.length) continue;
      for (int tap_x = 0; tap_x < horizontal.size; tap_x++) {
        const int begin = horizontal.begin(tap_x);
        const int end = horizontal.end(tap_x, outputs);
        if (begin >= end) continue;
        const int from_x =
            begin * horizontal.stride + tap_x - horizontal.before;
        (mean ? kernels.take_sum : kernels.take_max)(
            in + from_y * pitch + from_x, horizontal.stride, out + begin,
            end - begin);
      }
    }
    if (mean) {
      kernels.multiply(out, factors.data(), out, outputs);
      kernels.affine(out, 1.0f / vertical.count(y), 0, out, outputs);
    }
  }

  const Operation& one;
  const Axis vertical, horizontal;
  std::vector<float> factors;
};

struct GlobalPoolStep : Step {
  explicit GlobalPoolStep(const Operation& one) : one(one) {}

  void run(const Context& context) const override {
    const View in = context.view(one.inputs[0]);
    const View out = context.view(one.output);
    const auto& kernels = context.kernels;
    const float factor = 1.0f / (float(in.h) * float(in.w));
    for_parts(context, in.c * in.run(), in.c, [&](int begin, int end) {
      for (int c = begin; c < end; c++) {
        float found = one.is_average ? 0.0f : -__builtin_inff();
        for (int y = 0; y < in.h; y++) {
          const float* row = in.channel(c) + y * in.pitch;
          found = one.is_average ? found + kernels.sum(row, in.w)
                                 : std::max(found, kernels.max(row, in.w));
        }
        out.data[c] = one.is_average ? found * factor : found;
      }
    });
  }

  const Operation& one;
};

}  // namespace

NewStep make_pool(const Making& making, const Operation& one) {
  return std::make_unique<PoolStep>(making, one);
}

NewStep make_global_pool(const Making&, const Operation& one) {
  return std::make_unique<GlobalPoolStep>(one);
}

}  // namespace rigl::plan
