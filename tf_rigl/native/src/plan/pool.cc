// The largest or the mean element of windows.

#include <algorithm>

#include "steps.h"

namespace rigl::plan {
namespace {

// Of the rows that are added up first, on the stack.
constexpr int kLongestRow = 1024;

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

  // The rows of a window together, then its columns: the first is fast, because
  // rows are contiguous, and the second is then of one row.
  void run_row(const PlanKernels& kernels, const float* in, int64_t pitch,
               int y, float* out, int outputs) const {
    const bool mean = one.is_average;
    const auto take = mean ? kernels.take_sum : kernels.take_max;
    const int rows = vertical.count(y);
    in += std::max(y * vertical.stride - vertical.before, 0) * pitch;

    std::fill_n(out, outputs, mean ? 0.0f : -__builtin_inff());
    if (rows == 1 || horizontal.length > kLongestRow) {
      for (int row = 0; row < rows; row++) {
        take_columns(take, in + row * pitch, out, outputs);
      }
    } else {
      alignas(64) float all[kLongestRow];
      std::copy_n(in, horizontal.length, all);
      for (int row = 1; row < rows; row++) {
        take(in + row * pitch, 1, all, horizontal.length);
      }
      take_columns(take, all, out, outputs);
    }
    if (mean) {
      kernels.multiply(out, factors.data(), out, outputs);
      kernels.affine(out, 1.0f / rows, 0, out, outputs);
    }
  }

  void take_columns(decltype(PlanKernels::take) take, const float* row,
                    float* out, int outputs) const {
    for (int tap = 0; tap < horizontal.size; tap++) {
      const int begin = horizontal.begin(tap);
      const int end = horizontal.end(tap, outputs);
      if (begin >= end) continue;
      const int from = begin * horizontal.stride + tap - horizontal.before;
      take(row + from, horizontal.stride, out + begin, end - begin);
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
    for_parts(context, in.c * in.run() * kMoved, in.c, [&](int begin, int end) {
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
