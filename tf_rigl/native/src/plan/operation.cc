#include "operation.h"

#include "recurrence_reader.h"

namespace rigl::plan {
namespace {

constexpr int kMostTaps = 1 << 16;

// All integers up to it are float32.
constexpr int kMostRows = 1 << 24;

size_t count_arrays(Kind kind) {
  switch (kind) {
    case Kind::kDense:
    case Kind::kConvolution:
    case Kind::kEmbedding:
    case Kind::kRecurrence:
      return 5;
    case Kind::kAffine:
    case Kind::kNormalize:
      return 2;
    case Kind::kConstant:
      return 1;
    default:
      return 0;
  }
}

}  // namespace

void read_attributes(Words& words, const Program& program, Operation& one) {
  constexpr int kMost = 1 << 20;
  Window& window = one.window;
  const auto pair = [&](int& y, int& x, int lowest) {
    y = words.take(lowest, kMost);
    x = words.take(lowest, kMost);
  };
  switch (one.kind) {
    case Kind::kDense:
      one.weight.rows = words.take(1, kMostDimension);
      one.weight.places = words.take(1, kMostDimension);
      return;
    case Kind::kConvolution: {
      one.weight.rows = words.take(1, kMostDimension);
      pair(window.height, window.width, 1);
      pair(window.stride_y, window.stride_x, 1);
      pair(window.dilation_y, window.dilation_x, 1);
      pair(window.top, window.bottom, 0);
      pair(window.left, window.right, 0);
      one.groups = words.take(1, kMostDimension);
      const int64_t channels = words.take(1, kMostDimension);
      const int64_t size = int64_t(window.height) * window.width;
      require(size <= kMostTaps && size * channels <= kMostDimension,
              "a kernel is too large");
      one.weight.places = int(size * channels);
      require(channels * one.groups == program.shapes[one.inputs[0]].c &&
                  one.weight.rows % one.groups == 0,
              "groups of a convolution do not fit");
      return;
    }
    case Kind::kPool:
      one.is_average = words.take(0, 1);
      pair(window.height, window.width, 1);
      pair(window.stride_y, window.stride_x, 1);
      pair(window.top, window.bottom, 0);
      pair(window.left, window.right, 0);
      return;
    case Kind::kGlobalPool:
      one.is_average = words.take(0, 1);
      return;
    case Kind::kPad:
      pair(window.top, window.bottom, 0);
      pair(window.left, window.right, 0);
      return;
    case Kind::kConcatenate:
      one.axis = words.take(0, 2);
      return;
    case Kind::kNormalize:
      one.is_centered = words.take(0, 1);
      one.epsilon = words.real();
      return;
    case Kind::kTranspose:
      for (int& axis : one.order) axis = words.take(0, 2);
      return;
    case Kind::kSlice:
      window.top = words.take(0, kMostDimension);
      window.left = words.take(0, kMostDimension);
      window.stride_y = words.take(1, kMostDimension);
      window.stride_x = words.take(1, kMostDimension);
      return;
    case Kind::kEmbedding:
      one.weight.rows = words.take(1, kMostRows);
      one.weight.places = words.take(1, kMostDimension);
      return;
    case Kind::kAttention:
      one.heads.queries = words.take(1, kMostDimension);
      one.heads.keys = words.take(1, kMostDimension);
      one.heads.is_causal = words.take(0, 1);
      one.heads.scale = words.real();
      return;
    case Kind::kMatrixProduct:
      one.is_transposed = words.take(0, 1);
      return;
    case Kind::kRecurrence:
      return read_recurrence(words, one);
    default:
      return;
  }
}

void read_arrays(const std::vector<int>& numbers, const Arrays& arrays,
                 Program& program, Operation& one) {
  const size_t expected = count_arrays(one.kind);
  require(numbers.size() == expected, "an operation has other arrays");
  if (expected == 5) {
    arrays.read_weight(numbers.data(), one.weight, program.converted);
  } else if (expected == 2) {
    const int channels = program.shapes[one.output].c;
    one.scale = arrays.floats(numbers[0], channels);
    one.offset = arrays.floats(numbers[1], channels);
    require((one.scale && one.offset) || one.kind == Kind::kNormalize,
            "an array is missing");
  } else if (expected == 1) {
    one.constant =
        arrays.floats(numbers[0], program.shapes[one.output].elements());
    require(one.constant, "an array is missing");
  }
}

}  // namespace rigl::plan
