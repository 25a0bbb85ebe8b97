#include "steps.h"

#include <cstring>

#include "kernels.h"

namespace rigl::plan {

NewStep make_step(const Making& making, const Operation& one) {
  if (one.kind == Kind::kConstant) return make_constant(making, one);
  const Shape& from = making.program.shapes[one.inputs[0]];
  switch (one.kind) {
    case Kind::kDense:
      return from.is_vector() ? make_dense(making, one)
                              : make_convolution(making, one);
    case Kind::kConvolution:
      return make_convolution(making, one);
    case Kind::kPool:
      return making.is_head ? make_pool(making, one) : make_copy(making, one);
    case Kind::kGlobalPool:
      return from.is_vector() ? make_copy(making, one)
                              : make_global_pool(making, one);
    case Kind::kPad:
      return from == making.program.shapes[one.output] ? make_copy(making, one)
                                                       : make_pad(making, one);
    case Kind::kConcatenate:
      return make_concatenate(making, one);
    case Kind::kReshape:
      return make_copy(making, one);
    case Kind::kNormalize:
      return make_normalize(making, one);
    case Kind::kTranspose:
      return make_transpose(making, one);
    case Kind::kSlice:
      return make_slice(making, one);
    case Kind::kEmbedding:
      return make_embedding(making, one);
    case Kind::kAttention:
      return make_attention(making, one);
    case Kind::kMatrixProduct:
      return make_matrix_product(making, one);
    case Kind::kRecurrence:
      return make_recurrence(making, one);
    default:
      return make_elementwise(making, one);
  }
}

View channels_last(float* data, int h, int w, int c) {
  return {data, h, w, c, 1, int64_t(w) * c, c};
}

namespace {

// Fewer channels have no blocks that are transposed in registers.
constexpr int kFewestTransposed = 4;

// Copies between planes and channels that lie side by side. Returns whether
// these are such.
bool copy_transposed(const View& from, const View& to) {
  if (to.c < kFewestTransposed || to.w < kFewestTransposed) return false;
  const auto transpose = rigl::kernels().transpose;
  if (from.channel_stride == 1 && to.step == 1) {
    for (int y = 0; y < to.h; y++) {
      transpose(from.data + y * from.pitch, from.step, to.w, to.c,
                to.data + y * to.pitch, to.channel_stride);
    }
    return true;
  }
  if (to.channel_stride == 1 && from.step == 1) {
    for (int y = 0; y < to.h; y++) {
      transpose(from.data + y * from.pitch, from.channel_stride, to.c, to.w,
                to.data + y * to.pitch, to.step);
    }
    return true;
  }
  return false;
}

}  // namespace

void copy(const PlanKernels& kernels, const View& from, const View& to,
          bool exact) {
  if (copy_transposed(from, to)) return;
  const bool is_run = from.pitch == to.pitch && from.step == 1 &&
                      to.step == 1 && (!exact || to.pitch == to.w);
  for (int c = 0; c < to.c; c++) {
    const float* in = from.channel(c);
    float* out = to.channel(c);
    if (is_run) {
      std::memcpy(out, in, to.run() * sizeof(float));
      continue;
    }
    for (int y = 0; y < to.h; y++, in += from.pitch, out += to.pitch) {
      if (to.step == 1) {
        kernels.take(in, from.step, out, to.w);
      } else {
        for (int x = 0; x < to.w; x++) out[x * to.step] = in[x * from.step];
      }
    }
  }
}

void copy_rows(const Context& context, const View& from, const View& to) {
  const int64_t elements = int64_t(to.h) * to.w * to.c;
  for_parts(context, elements * kMoved, to.h, [&](int begin, int end) {
    View some = from, there = to;
    some.data += begin * from.pitch;
    there.data += begin * to.pitch;
    some.h = there.h = end - begin;
    copy(context.kernels, some, there);
  });
}

void clear_borders(const Context& context, int value, int begin, int end) {
  const Place& place = context.places[value];
  if (place.is_vector || place.border == 0) return;

  float* memory = context.memory + place.start;
  if (begin == 0) std::fill_n(memory - place.lead, place.lead, 0.0f);
  const int64_t last_row = (place.h - 1) * place.pitch;
  for (int c = begin; c < end; c++) {
    float* channel = memory + c * place.channel_stride;
    for (int64_t row = 0; row < last_row; row += place.pitch) {
      for (int64_t x = place.w; x < place.pitch; x++) channel[row + x] = 0;
    }
    std::fill(channel + last_row + place.w, channel + place.channel_stride,
              0.0f);
  }
}

void activate(const Context& context, const Operation& one, int begin,
              int end) {
  if (one.activation == Activation::kLinear) return;
  const View view = context.view(one.output);
  if (view.channel_stride == view.run()) {
    context.kernels.activate(view.channel(begin), (end - begin) * view.run(),
                             one.activation, one.slope);
    return;
  }
  for (int c = begin; c < end; c++) {
    context.kernels.activate(view.channel(c), view.run(), one.activation,
                             one.slope);
  }
}

void finish(const Context& context, const Operation& one) {
  if (one.activation != Activation::kSoftmax) return;
  const View view = context.view(one.output);
  context.kernels.softmax(view.data, view.c, view.channel_stride, view.run());
  clear_borders(context, one.output, 0, view.c);
}

}  // namespace rigl::plan
