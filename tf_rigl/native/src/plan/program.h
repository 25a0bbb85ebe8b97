// A network as a file holds it, after all of it has been checked.
//
// `plan_file.py` writes the same numbers.
#ifndef TF_RIGL_NATIVE_PLAN_PROGRAM_H_
#define TF_RIGL_NATIVE_PLAN_PROGRAM_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "activations.h"
#include "recurrence.h"

namespace rigl::plan {

constexpr uint32_t kVersion = 2;

enum class Kind : int32_t {
  kDense,
  kConvolution,
  kPool,
  kGlobalPool,
  kPad,
  kAffine,
  kAdd,
  kMultiply,
  kActivation,
  kConcatenate,
  kReshape,
  kConstant,
  kNormalize,
  kTranspose,
  kSlice,
  kEmbedding,
  kAttention,
  kMatrixProduct,
  kRecurrence,
  kCount,
};

// Vectors have a height and width of 1, sequences a height of 1.
struct Shape {
  int rank = 1;
  int h = 1, w = 1, c = 1;

  bool is_vector() const { return h == 1 && w == 1; }
  // Of y, x or channels: 0, 1 or 2.
  int size(int axis) const { return axis == 0 ? h : axis == 1 ? w : c; }
  int64_t elements() const { return int64_t(h) * w * c; }
  bool operator==(const Shape& other) const {
    return h == other.h && w == other.w && c == other.c;
  }
};

// Rows are outputs. A place is (y · width + x) · channels + channel in the
// window of a convolution, or the input of a dense layer.
struct Weight {
  int rows = 0;
  int places = 0;
  int connections = 0;                // 0 if dense
  const int32_t* row_ptr = nullptr;   // nullptr if dense
  const void* cols = nullptr;         // uint16 or int32
  int column_bytes = 2;
  const float* values = nullptr;      // [connections] or [rows, places]
  const float* bias = nullptr;        // [rows]; may be nullptr

  bool is_dense() const { return row_ptr == nullptr; }
};

struct Window {
  int height = 1, width = 1;
  int stride_y = 1, stride_x = 1;
  int dilation_y = 1, dilation_x = 1;
  int top = 0, bottom = 0, left = 0, right = 0;  // zeros around the input

  // Whether the first one is just the first position of the input.
  bool is_single() const {
    return height == 1 && width == 1 && top == 0 && left == 0;
  }
};

// Of attention: the channels of each value are those of its heads, one after the
// other, and several heads of queries may share one of keys and values.
struct Heads {
  int queries = 1;
  int keys = 1;
  bool is_causal = false;  // whether later keys are hidden
  float scale = 1;         // of products of queries and keys
};

struct Operation {
  Kind kind;
  std::vector<int> inputs;
  int output = 0;
  Activation activation = Activation::kLinear;
  float slope = 0;

  Weight weight;
  Window window;
  int groups = 1;
  bool is_average = false;
  Recurrence recurrence;
  const float* scale = nullptr;
  const float* offset = nullptr;

  const float* constant = nullptr;  // [c][h][w]
  int axis = 0;                     // along which values are joined
  int order[3] = {0, 1, 2};         // of y, x and channels of the input
  bool is_centered = true;          // whether a norm subtracts the mean
  float epsilon = 0;
  bool is_transposed = false;  // whether a product is with rows of the second
  Heads heads;
};

struct Program {
  // Weights that the file holds in other types.
  std::vector<std::vector<float>> converted;

  std::vector<Shape> shapes;
  std::vector<int> inputs, outputs;
  std::vector<Operation> operations;
  std::vector<std::string> input_names, output_names, operation_names;
};

// Why a file is refused.
struct Refused {
  std::string reason;
};

// Checks everything, so that nothing is ever read beyond `bytes` or computed out
// of bounds. The program points into `data`, which is aligned to 64 bytes.
// Throws Refused, or std::bad_alloc.
Program read_program(const uint8_t* data, size_t bytes);

// Whether an operation makes of its inputs what has the shape of its output.
bool has_right_shapes(const Program& program, const Operation& one);

// CRC-32, as zlib computes it.
uint32_t checksum(const uint8_t* data, size_t bytes);

}  // namespace rigl::plan

#endif  // TF_RIGL_NATIVE_PLAN_PROGRAM_H_
