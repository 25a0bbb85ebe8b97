#include <algorithm>

#include "recurrence_reader.h"
#include "words.h"

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

bool is_attention(const Program& program, const Operation& one) {
  const Shape& queries = program.shapes[one.inputs[0]];
  const Shape& keys = program.shapes[one.inputs[1]];
  const Shape& values = program.shapes[one.inputs[2]];
  const Shape& to = program.shapes[one.output];
  const int64_t many = one.heads.queries, shared = one.heads.keys;
  return queries.h == 1 && keys.h == 1 && values.h == 1 && to.h == 1 &&
         to.w == queries.w && values.w == keys.w && many % shared == 0 &&
         queries.c % many == 0 && keys.c % shared == 0 &&
         values.c % shared == 0 && to.c % many == 0 &&
         queries.c / many == keys.c / shared &&
         to.c / many == values.c / shared &&
         many * keys.w <= kMostElements;
}

bool is_matrix_product(const Program& program, const Operation& one) {
  const Shape& first = program.shapes[one.inputs[0]];
  const Shape& second = program.shapes[one.inputs[1]];
  const Shape& to = program.shapes[one.output];
  const int rows = one.is_transposed ? second.c : second.w;
  const int columns = one.is_transposed ? second.w : second.c;
  return first.h == second.h && first.h == to.h && first.w == to.w &&
         first.c == rows && to.c == columns;
}

bool fits(int size, int whole) { return size == whole || size == 1; }

}  // namespace

bool has_right_shapes(const Program& program, const Operation& one) {
  const auto shape = [&](int value) -> const Shape& {
    return program.shapes[value];
  };
  const Shape& to = shape(one.output);
  if (one.inputs.empty()) return one.kind == Kind::kConstant;
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
    case Kind::kNormalize:
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
      int64_t joined = 0;
      right = true;
      for (int value : one.inputs) {
        for (int axis = 0; axis < 3; axis++) {
          if (axis == one.axis) continue;
          right &= shape(value).size(axis) == to.size(axis);
        }
        joined += shape(value).size(one.axis);
      }
      right &= joined == to.size(one.axis);
      break;
    }
    case Kind::kTranspose: {
      bool seen[3] = {};
      for (int axis = 0; axis < 3; axis++) {
        seen[one.order[axis]] = true;
        right &= to.size(axis) == from.size(one.order[axis]);
      }
      right &= seen[0] && seen[1] && seen[2];
      break;
    }
    case Kind::kSlice:
      right &= to.c == from.c &&
               window.top + int64_t(to.h - 1) * window.stride_y < from.h &&
               window.left + int64_t(to.w - 1) * window.stride_x < from.w;
      break;
    case Kind::kEmbedding:
      // Of the dimensions of the input, the last becomes one in space.
      right &= one.weight.places == to.c && to.rank == from.rank + 1 &&
               to.h == from.w && to.w == from.c;
      break;
    case Kind::kAttention:
      right = inputs == 3 && is_attention(program, one);
      break;
    case Kind::kMatrixProduct:
      right = inputs == 2 && is_matrix_product(program, one);
      break;
    case Kind::kConstant:
      right = false;
      break;
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
