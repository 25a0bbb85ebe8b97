// Attention between positions, and products of two values.

#include <algorithm>

#include "steps.h"

namespace rigl::plan {
namespace {

struct AttentionStep : Step {
  AttentionStep(const Making& making, const Operation& one)
      : one(one),
        queries(making.program.shapes[one.inputs[0]].w),
        keys(making.program.shapes[one.inputs[1]].w) {
    temporary_floats = scores() * one.heads.queries;
  }

  // Floats for the scores of two vectors of queries.
  int64_t scores() const { return int64_t(keys) * 2 * kWidestVector; }

  void run(const Context& context) const override {
    const View query = context.view(one.inputs[0]);
    const View key = context.view(one.inputs[1]);
    const View value = context.view(one.inputs[2]);
    const View out = context.view(one.output);
    const int heads = one.heads.queries;
    const int together = heads / one.heads.keys;
    const int key_channels = query.c / heads, value_channels = out.c / heads;
    const double all = double(queries) * keys * (query.c + out.c + 8.0 * heads);
    const auto work = int64_t(std::min(all, 1e15));

    for_parts(context, work, heads, [&](int begin, int end) {
      float* memory = temporary(context) + begin * scores();
      for (int head = begin; head < end; head++) {
        const int shared = head / together;
        context.kernels.attend(
            {query.channel(head * key_channels), query.channel_stride,
             key.channel(shared * key_channels), key.channel_stride,
             value.channel(shared * value_channels), value.channel_stride,
             out.channel(head * value_channels), out.channel_stride, queries,
             keys, key_channels, value_channels, one.heads.scale,
             one.heads.is_causal, memory});
      }
    });
    clear_borders(context, one.output, 0, out.c);
  }

  const Operation& one;
  const int queries, keys;
};

// Matrices [w][c], one for each y. Columns of the first are lanes.
struct MatrixProductStep : Step {
  MatrixProductStep(const Making& making, const Operation& one)
      : one(one), columns(making.program.shapes[one.output].w) {}

  void run(const Context& context) const override {
    const View first = context.view(one.inputs[0]);
    const View second = context.view(one.inputs[1]);
    const View out = context.view(one.output);
    const int64_t row = one.is_transposed ? 1 : second.channel_stride;
    const int64_t depth = one.is_transposed ? second.channel_stride : 1;
    // Blocks of rows that do not depend on threads.
    constexpr int kBlock = 8;
    const int blocks = (out.c + kBlock - 1) / kBlock;
    for_parts(context, out.c * out.run() * first.c, blocks,
              [&](int begin, int end) {
                const int from = begin * kBlock;
                const int rows = std::min(end * kBlock, out.c) - from;
                for (int y = 0; y < out.h; y++) {
                  context.kernels.multiply_planes(
                      {second.data + y * second.pitch + from * row, row, depth,
                       first.data + y * first.pitch, first.channel_stride,
                       out.channel(from) + y * out.pitch, out.channel_stride,
                       rows, first.c},
                      columns);
                }
              });
    clear_borders(context, one.output, 0, out.c);
  }

  const Operation& one;
  const int columns;
};

}  // namespace

NewStep make_attention(const Making& making, const Operation& one) {
  return std::make_unique<AttentionStep>(making, one);
}

NewStep make_matrix_product(const Making& making, const Operation& one) {
  return std::make_unique<MatrixProductStep>(making, one);
}

}  // namespace rigl::plan
