#include "call.h"

namespace rigl {
namespace {

constexpr int64_t kLargest = INT32_MAX;

int column_bytes(const TF_Tensor* tensor) {
  return TF_TensorType(tensor) == TF_UINT16 ? 2 : 4;
}

size_t bytes_of(TF_DataType type) {
  switch (type) {
    case TF_BOOL:
      return 1;
    case TF_UINT16:
      return 2;
    case TF_INT64:
      return 8;
    default:
      return 4;
  }
}

}  // namespace

void check(const Status& status) {
  if (TF_GetCode(status.get()) != TF_OK) {
    throw std::runtime_error(TF_Message(status.get()));
  }
}

void require(bool holds, const char* name, const char* condition) {
  if (!holds) {
    throw std::invalid_argument(std::string(name) + " must " + condition);
  }
}

Call::Call(TF_OpKernelContext* context, int inputs) : context_(context) {
  const Status status(TF_NewStatus());
  for (int i = 0; i < inputs; i++) {
    TF_Tensor* tensor = nullptr;
    TF_GetInput(context, i, &tensor, status.get());
    inputs_.emplace_back(tensor);
    check(status);
  }
}

void Call::check_shape(int number, const char* name,
                       std::initializer_list<int64_t> shape) const {
  const TF_Tensor* tensor = input(number);
  require(TF_NumDims(tensor) == int(shape.size()), name,
          shape.size() == 2   ? "be a matrix"
          : shape.size() == 1 ? "be a vector"
                              : "be a scalar");
  int i = 0;
  for (const int64_t size : shape) {
    const int64_t found = TF_Dim(tensor, i++);
    if (size >= 0 && found != size) {
      throw std::invalid_argument(std::string(name) + " must be of size " +
                                  std::to_string(size) + ", not " +
                                  std::to_string(found));
    }
  }
}

void* Call::allocate(int number, TF_DataType type,
                     const std::vector<int64_t>& shape) {
  size_t bytes = bytes_of(type);
  for (const int64_t size : shape) bytes *= size;
  const Status status(TF_NewStatus());
  const Tensor tensor(TF_AllocateOutput(context_, number, type, shape.data(),
                                        int(shape.size()), bytes,
                                        status.get()));
  check(status);
  // The context holds the memory.
  return TF_TensorData(tensor.get());
}

void* Call::columns(int number, int64_t count, int bytes) {
  return allocate(number, bytes == 2 ? TF_UINT16 : TF_INT32, {count});
}

RiglIndex Call::index(int first, int64_t inputs, int64_t outputs) const {
  const auto with_end = [](int64_t size) { return size < 0 ? -1 : size + 1; };
  RiglIndex index;
  index.row_ptr = data<int32_t>(first, "row_ptr", {with_end(outputs)});
  index.cols = data<void>(first + 1, "cols", {-1});
  const int64_t connections = dim(first + 1, 0);
  index.t_ptr = data<int32_t>(first + 2, "t_ptr", {with_end(inputs)});
  index.t_cols = data<void>(first + 3, "t_cols", {connections});
  index.t_perm = data<int32_t>(first + 4, "t_perm", {connections});

  const int64_t rows = dim(first, 0), t_rows = dim(first + 2, 0);
  require(rows > 0 && rows <= kLargest, "row_ptr", "have 1 to 2^31 - 1 entries");
  require(t_rows > 0 && t_rows <= kLargest, "t_ptr",
          "have 1 to 2^31 - 1 entries");
  require(connections <= kLargest, "cols", "have fewer than 2^31 entries");
  index.outputs = int32_t(rows - 1);
  index.inputs = int32_t(t_rows - 1);
  index.connections = int32_t(connections);
  index.column_bytes = column_bytes(input(first + 1));
  index.t_column_bytes = column_bytes(input(first + 3));
  require(index.column_bytes == 4 || index.inputs <= 1 << 16, "cols",
          "be int32 for more than 65,536 inputs");
  require(index.t_column_bytes == 4 || index.outputs <= 1 << 16, "t_cols",
          "be int32 for more than 65,536 outputs");
  return index;
}

const RiglConvolution* Call::convolution(int number) const {
  constexpr int64_t kNumbers = sizeof(RiglConvolution) / sizeof(int32_t);
  const auto* found = reinterpret_cast<const RiglConvolution*>(
      data<int32_t>(number, "sizes", {kNumbers}));
  // So that products of them are numbers; the rest is checked elsewhere.
  for (const int32_t size : {found->height, found->width, found->channels,
                             found->out_height, found->out_width}) {
    require(size > 0 && size <= 1 << 20, "sizes", "be 1 to 2^20");
  }
  return found;
}

RiglNewIndex Call::new_index(int first, const RiglIndex& like,
                             int64_t connections) {
  require(connections <= kLargest, "positions", "be fewer than 2^31");
  RiglNewIndex index;
  index.inputs = like.inputs;
  index.outputs = like.outputs;
  index.connections = int32_t(connections);
  index.column_bytes = like.column_bytes;
  index.t_column_bytes = like.t_column_bytes;
  index.row_ptr = output<int32_t>(first, {like.outputs + 1});
  index.cols = columns(first + 1, connections, like.column_bytes);
  index.t_ptr = output<int32_t>(first + 2, {like.inputs + 1});
  index.t_cols = columns(first + 3, connections, like.t_column_bytes);
  index.t_perm = output<int32_t>(first + 4, {connections});
  return index;
}

}  // namespace rigl
