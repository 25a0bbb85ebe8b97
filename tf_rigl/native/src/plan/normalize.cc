// LayerNormalization and RMSNormalization, of each position.

#include <cmath>

#include "steps.h"

namespace rigl::plan {
namespace {

struct NormalizeStep : Step {
  explicit NormalizeStep(const Operation& one) : one(one) {}

  void run(const Context& context) const override {
    const View in = context.view(one.inputs[0]);
    const View out = context.view(one.output);
    if (out.run() == 1) return run_vector(context, in, out);

    // Blocks that do not depend on threads.
    constexpr int64_t kBlock = 2 * kWidestVector;
    const int64_t blocks = (out.run() + kBlock - 1) / kBlock;
    const Norm norm{in.data,    in.channel_stride,  out.data,
                    out.channel_stride, out.c,      one.scale,
                    one.offset, one.epsilon,        one.is_centered};
    for_parts(context, 4 * out.c * out.run(), int(blocks),
              [&](int begin, int end) {
                context.kernels.normalize(
                    norm, begin * kBlock, std::min(end * kBlock, out.run()));
              });
    clear_borders(context, one.output, 0, out.c);
  }

  // The channels of one position lie side by side.
  void run_vector(const Context& context, const View& in,
                  const View& out) const {
    const auto& kernels = context.kernels;
    const int count = out.c;
    float* squares = temporary(context);
    const float mean =
        one.is_centered ? kernels.sum(in.data, count) / float(count) : 0;
    kernels.affine(in.data, 1, -mean, out.data, count);
    kernels.multiply(out.data, out.data, squares, count);
    const float variance = kernels.sum(squares, count) / float(count);
    kernels.affine(out.data, 1.0f / std::sqrt(variance + one.epsilon), 0,
                   out.data, count);
    if (one.scale) kernels.multiply(out.data, one.scale, out.data, count);
    if (one.offset) kernels.add(out.data, one.offset, out.data, count);
  }

  const Operation& one;
};

}  // namespace

NewStep make_normalize(const Making& making, const Operation& one) {
  auto step = std::make_unique<NormalizeStep>(one);
  const Shape& shape = making.program.shapes[one.output];
  if (shape.is_vector()) {
    step->temporary_floats = rounded(shape.c);
    step->narrowest = kWidestVector;  // tiles are whole vectors
  }
  return step;
}

}  // namespace rigl::plan
