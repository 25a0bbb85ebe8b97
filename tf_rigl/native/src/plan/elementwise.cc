// Sums, products, affine functions and activations, copies and padding.

#include <cstring>

#include "steps.h"

namespace rigl::plan {
namespace {

using Binary = decltype(PlanKernels::add);

// out = a ∘ b, where `b` may have 1 in any dimension, and `a` may be `out`.
struct Combine {
  const PlanKernels& kernels;
  bool is_sum;

  // One run; of a single b, or of as many.
  void run(const float* a, const float* b, bool is_single, float* out,
           int64_t n) const {
    if (!is_single) {
      (is_sum ? kernels.add : kernels.multiply)(a, b, out, n);
    } else if (is_sum) {
      kernels.affine(a, 1, *b, out, n);
    } else {
      kernels.affine(a, *b, 0, out, n);
    }
  }

  void channels(const View& a, const View& b, const View& out, int begin,
                int end) const {
    const bool same_runs = b.h == out.h && b.w == out.w &&
                           a.pitch == out.pitch && b.pitch == out.pitch;
    const bool is_packed = same_runs && b.c == out.c &&
                           a.channel_stride == out.run() &&
                           b.channel_stride == out.run() &&
                           out.channel_stride == out.run();
    if (is_packed) {
      return run(a.channel(begin), b.channel(begin), false, out.channel(begin),
                 (end - begin) * out.run());
    }
    for (int c = begin; c < end; c++) {
      const float* one = b.channel(b.c == 1 ? 0 : c);
      if (same_runs) {
        run(a.channel(c), one, false, out.channel(c), out.run());
        continue;
      }
      if (b.h == 1 && b.w == 1 && a.pitch == out.pitch) {
        run(a.channel(c), one, true, out.channel(c), out.run());
        continue;
      }
      for (int y = 0; y < out.h; y++) {
        run(a.channel(c) + y * a.pitch, b.h == 1 ? one : one + y * b.pitch,
            b.w == 1 && out.w != 1, out.channel(c) + y * out.pitch, out.w);
      }
    }
  }
};

struct CombineStep : Step {
  explicit CombineStep(const Making& making, const Operation& one)
      : one(one), shape(making.program.shapes[one.output]) {
    // First what has the shape of the output, so that the rest is added to it.
    for (int value : one.inputs) {
      const bool whole = making.program.shapes[value] == shape;
      inputs.insert(whole ? inputs.begin() : inputs.end(), value);
      starts_whole |= whole;
    }
  }

  void run(const Context& context) const override {
    const View out = context.view(one.output);
    const bool is_sum = one.kind == Kind::kAdd;
    const Combine combine{context.kernels, is_sum};
    const int64_t work = out.c * out.run() * int64_t(inputs.size());

    for_parts(context, work, out.c, [&](int begin, int end) {
      View so_far = context.view(inputs[0]);
      size_t next = 1;
      if (!starts_whole) {
        for (int c = begin; c < end; c++) {
          std::fill_n(out.channel(c), out.run(), is_sum ? 0.0f : 1.0f);
        }
        so_far = out;
        next = 0;
      }
      for (; next < inputs.size(); next++) {
        combine.channels(so_far, context.view(inputs[next]), out, begin, end);
        so_far = out;
      }
      activate(context, one, begin, end);
      clear_borders(context, one.output, begin, end);
    });
    finish(context, one);
  }

  const Operation& one;
  const Shape shape;
  std::vector<int> inputs;
  bool starts_whole = false;
};

struct AffineStep : Step {
  explicit AffineStep(const Operation& one) : one(one) {}

  void run(const Context& context) const override {
    const View in = context.view(one.inputs[0]);
    const View out = context.view(one.output);
    for_parts(context, out.c * out.run(), out.c, [&](int begin, int end) {
      if (one.scale && out.run() == 1 && out.channel_stride == 1) {
        const auto& kernels = context.kernels;
        kernels.multiply(in.channel(begin), one.scale + begin,
                         out.channel(begin), end - begin);
        kernels.add(out.channel(begin), one.offset + begin, out.channel(begin),
                    end - begin);
      } else {
        for (int c = begin; c < end; c++) {
          context.kernels.affine(in.channel(c), one.scale ? one.scale[c] : 1,
                                 one.scale ? one.offset[c] : 0, out.channel(c),
                                 out.run());
        }
      }
      activate(context, one, begin, end);
      clear_borders(context, one.output, begin, end);
    });
    finish(context, one);
  }

  const Operation& one;
};

// Elements in the same order, as Keras counts them: channels last.
struct CopyStep : Step {
  CopyStep(const Making& making, const Operation& one)
      : one(one),
        from(making.program.shapes[one.inputs[0]]),
        to(making.program.shapes[one.output]) {
    is_same = from == to;
    is_through = !is_same && !from.is_vector() && !to.is_vector();
    if (is_through) temporary_floats = rounded(to.elements());
  }

  void run(const Context& context) const override {
    const auto& kernels = context.kernels;
    const View in = context.view(one.inputs[0]);
    const View out = context.view(one.output);
    if (is_same) {
      if (in.data == out.data) return;
      copy(kernels, in, out);
    } else if (is_through) {
      float* all = temporary(context);
      copy(kernels, in, channels_last(all, from.h, from.w, from.c));
      copy(kernels, channels_last(all, to.h, to.w, to.c), out);
    } else if (to.is_vector()) {
      copy(kernels, in, channels_last(out.data, from.h, from.w, from.c));
    } else {
      copy(kernels, channels_last(in.data, to.h, to.w, to.c), out);
    }
    clear_borders(context, one.output, 0, out.c);
  }

  const Operation& one;
  const Shape from, to;
  bool is_same, is_through;
};

struct PadStep : Step {
  explicit PadStep(const Operation& one) : one(one) {}

  void run(const Context& context) const override {
    const View in = context.view(one.inputs[0]);
    const View out = context.view(one.output);
    View inner = out;
    inner.h = in.h, inner.w = in.w;
    inner.data += one.window.top * out.pitch + one.window.left;
    for_parts(context, out.c * out.run(), out.c, [&](int begin, int end) {
      for (int c = begin; c < end; c++) {
        std::fill_n(out.channel(c), out.run(), 0.0f);
      }
    });
    copy(context.kernels, in, inner, true);
    clear_borders(context, one.output, 0, out.c);
  }

  const Operation& one;
};

}  // namespace

NewStep make_elementwise(const Making& making, const Operation& one) {
  if (one.kind == Kind::kAdd || one.kind == Kind::kMultiply) {
    return std::make_unique<CombineStep>(making, one);
  }
  return std::make_unique<AffineStep>(one);
}

NewStep make_copy(const Making& making, const Operation& one) {
  return std::make_unique<CopyStep>(making, one);
}

NewStep make_pad(const Making&, const Operation& one) {
  return std::make_unique<PadStep>(one);
}

}  // namespace rigl::plan
