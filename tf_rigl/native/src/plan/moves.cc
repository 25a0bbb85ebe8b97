// Steps that move elements between positions and channels, and constants.

#include <cstring>

#include "steps.h"

namespace rigl::plan {
namespace {

// Values one after the other, along y, x or channels.
struct ConcatenateStep : Step {
  explicit ConcatenateStep(const Operation& one) : one(one) {}

  void run(const Context& context) const override {
    const View whole = context.view(one.output);
    View out = whole;
    for (int value : one.inputs) {
      const View in = context.view(value);
      // Vectors have no x of their own: theirs are examples.
      if (one.axis == 0) out.h = in.h;
      if (one.axis == 1) out.w = in.w;
      if (one.axis == 2) out.c = in.c;
      copy(context.kernels, in, out, one.axis == 1);
      if (one.axis == 0) out.data += in.h * out.pitch;
      if (one.axis == 1) out.data += in.w * out.step;
      if (one.axis == 2) out.data += in.c * out.channel_stride;
    }
    clear_borders(context, one.output, 0, whole.c);
  }

  const Operation& one;
};

// The file has planes without borders.
struct ConstantStep : Step {
  explicit ConstantStep(const Operation& one) : one(one) {}

  void run(const Context& context) const override {
    const Place& place = context.places[one.output];
    const View out = context.view(one.output);
    if (place.is_vector) {
      for (int c = 0; c < out.c; c++) {
        std::fill_n(out.channel(c), context.tile, one.constant[c]);
      }
      return;
    }
    const View in{const_cast<float*>(one.constant), out.h, out.w, out.c,
                  int64_t(out.h) * out.w, out.w};
    copy(context.kernels, in, out, true);
    clear_borders(context, one.output, 0, out.c);
  }

  const Operation& one;
};

// Gives each axis of the output the stride of the input's.
struct TransposeStep : Step {
  explicit TransposeStep(const Operation& one) : one(one) {}

  void run(const Context& context) const override {
    const View in = context.view(one.inputs[0]);
    const View out = context.view(one.output);
    const int64_t strides[] = {in.pitch, in.step, in.channel_stride};
    const int* order = one.order;
    const View turned{in.data,           out.h,
                      out.w,             out.c,
                      strides[order[2]], strides[order[0]],
                      strides[order[1]]};
    for_parts(context, out.c * out.run(), out.c, [&](int begin, int end) {
      View from = turned, to = out;
      from.data = turned.channel(begin), to.data = out.channel(begin);
      from.c = to.c = end - begin;
      copy(context.kernels, from, to, true);
      clear_borders(context, one.output, begin, end);
    });
  }

  const Operation& one;
};

// Some rows and columns of each channel.
struct SliceStep : Step {
  explicit SliceStep(const Operation& one) : one(one) {}

  void run(const Context& context) const override {
    const Window& window = one.window;
    const View out = context.view(one.output);
    View in = context.view(one.inputs[0]);
    in.data += window.top * in.pitch + window.left * in.step;
    in.h = out.h, in.w = out.w;
    in.pitch *= window.stride_y;
    in.step *= window.stride_x;
    copy(context.kernels, in, out, true);
    clear_borders(context, one.output, 0, out.c);
  }

  const Operation& one;
};

}  // namespace

NewStep make_concatenate(const Making&, const Operation& one) {
  return std::make_unique<ConcatenateStep>(one);
}

NewStep make_constant(const Making&, const Operation& one) {
  return std::make_unique<ConstantStep>(one);
}

NewStep make_transpose(const Making& making, const Operation& one) {
  // Of vectors, there is but one order of elements.
  const auto& shapes = making.program.shapes;
  if (shapes[one.inputs[0]].is_vector() && shapes[one.output].is_vector()) {
    return make_copy(making, one);
  }
  return std::make_unique<TransposeStep>(one);
}

NewStep make_slice(const Making& making, const Operation& one) {
  if (making.program.shapes[one.inputs[0]].is_vector()) {
    return make_copy(making, one);
  }
  return std::make_unique<SliceStep>(one);
}

}  // namespace rigl::plan
