#include <algorithm>

#include "plan_program.h"
#include "plan_recurrence_reader.h"

namespace rigl::plan {
namespace {

// Returns the output of windows over so many inputs; 0 if there is none.
int64_t windows_of(int64_t inputs, int size, int stride, int dilation,
                   int before, int after) {
  const int64_t left =
      inputs + before + after - (int64_t(size - 1) * dilation + 1);
  return left < 0 ? 0 : left / stride + 1;
}

bool is_window_shape(const Window& window, const Shape& from, const Shape& to) {
  return to.h == windows_of(from.h, window.height, window.stride_y,
                            window.dilation_y, window.top, window.bottom) &&
         to.w == windows_of(from.w, window.width, window.stride_x,
                            window.dilation_x, window.left, window.right);
}

bool fits(int size, int whole) { return size == whole || size == 1; }

}  // namespace

bool has_right_shapes(const Program& program, const Operation& one) {
  const auto shape = [&](int value) -> const Shape& {
    return program.shapes[value];
  };
  const Shape& to = shape(one.output);
  const Shape& from = shape(one.inputs[0]);
  const Window& window = one.window;
  const size_t inputs = one.inputs.size();
  bool right = inputs == 1;

  switch (one.kind) {
    case Kind::kDense:
      right &= one.weight.places == from.c && one.weight.rows == to.c &&
               to.h == from.h && to.w == from.w;
      break;
    case Kind::kConvolution:
      right = inputs == 1 || (inputs == 2 && shape(one.inputs[1]) == to);
      right &= is_window_shape(window, from, to) && to.c == one.weight.rows;
      break;
    case Kind::kPool:
      right &= is_window_shape(window, from, to) && to.c == from.c &&
               std::max(window.top, window.bottom) < window.height &&
               std::max(window.left, window.right) < window.width;
      break;
    case Kind::kGlobalPool:
      right &= to.is_vector() && to.c == from.c;
      break;
    case Kind::kPad:
      right &= to.c == from.c && to.h == from.h + window.top + window.bottom &&
               to.w == from.w + window.left + window.right;
      break;
    case Kind::kAffine:
    case Kind::kActivation:
      right &= to == from;
      break;
    case Kind::kAdd:
    case Kind::kMultiply:
      right = inputs >= 2;
      for (int value : one.inputs) {
        const Shape& in = shape(value);
        right &= fits(in.h, to.h) && fits(in.w, to.w) && fits(in.c, to.c);
      }
      break;
    case Kind::kConcatenate: {
      int64_t channels = 0;
      right = true;
      for (int value : one.inputs) {
        right &= shape(value).h == to.h && shape(value).w == to.w;
        channels += shape(value).c;
      }
      right &= channels == to.c;
      break;
    }
    case Kind::kReshape:
      right &= to.elements() == from.elements();
      break;
    case Kind::kRecurrence:
      right = has_right_recurrence(program, one);
      break;
    case Kind::kCount:
      right = false;
  }
  return right;
}

}  // namespace rigl::plan
