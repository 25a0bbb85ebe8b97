// One call of an operation: its inputs and outputs, and errors as exceptions.
#ifndef TF_RIGL_NATIVE_TENSORFLOW_CALL_H_
#define TF_RIGL_NATIVE_TENSORFLOW_CALL_H_

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "rigl.h"
#include "c_api.h"

namespace rigl {

struct Delete {
  void operator()(TF_Status* status) const { TF_DeleteStatus(status); }
  void operator()(TF_Tensor* tensor) const { TF_DeleteTensor(tensor); }
  void operator()(TF_ShapeHandle* shape) const { TF_DeleteShapeHandle(shape); }
};

using Status = std::unique_ptr<TF_Status, Delete>;
using Tensor = std::unique_ptr<TF_Tensor, Delete>;
using Shape = std::unique_ptr<TF_ShapeHandle, Delete>;

// Throws what a status says, if it is an error.
void check(const Status& status);

// Throws a message if a condition of an input does not hold.
void require(bool holds, const char* name, const char* condition);

class Call {
 public:
  Call(TF_OpKernelContext* context, int inputs);

  TF_Tensor* input(int number) const { return inputs_[number].get(); }

  // Gives an input away, which stays as long as its new owner.
  Tensor take(int number) { return std::move(inputs_[number]); }

  // Return an input's data, after a check of its type and shape; -1 is any size.
  template <class T>
  const T* data(int number, const char* name,
                std::initializer_list<int64_t> shape) const {
    check_shape(number, name, shape);
    return static_cast<const T*>(TF_TensorData(input(number)));
  }

  int64_t dim(int number, int dimension) const {
    return TF_Dim(input(number), dimension);
  }

  // Allocates an output and returns its data.
  template <class T>
  T* output(int number, std::vector<int64_t> shape) {
    return static_cast<T*>(allocate(number, type_of(T()), shape));
  }
  void* columns(int number, int64_t count, int bytes);

  // The index, whose five arrays are inputs from `first` on, for a weight of
  // `inputs` × `outputs`, or -1 where that is not known otherwise.
  RiglIndex index(int first, int64_t inputs = -1, int64_t outputs = -1) const;

  // The sizes of a convolution, after a check of those of images.
  const RiglConvolution* convolution(int number) const;

  // Allocates an index, whose arrays are outputs from `first` on.
  RiglNewIndex new_index(int first, const RiglIndex& like, int64_t connections);

  // Throws the error that a function of rigl.h returned.
  static void check_error(const char* error) {
    if (error) throw std::invalid_argument(error);
  }

 private:
  static TF_DataType type_of(float) { return TF_FLOAT; }
  static TF_DataType type_of(int32_t) { return TF_INT32; }
  static TF_DataType type_of(int64_t) { return TF_INT64; }
  static TF_DataType type_of(bool) { return TF_BOOL; }
  static TF_DataType type_of(uint16_t) { return TF_UINT16; }

  void check_shape(int number, const char* name,
                   std::initializer_list<int64_t> shape) const;
  void* allocate(int number, TF_DataType type,
                 const std::vector<int64_t>& shape);

  TF_OpKernelContext* context_;
  std::vector<Tensor> inputs_;
};

// Runs the body of an operation, and reports what it throws to TensorFlow.
template <class Body>
void run(TF_OpKernelContext* context, const char* op, const Body& body) {
  std::string message;
  try {
    body();
    return;
  } catch (const std::exception& error) {
    message = std::string(op) + ": " + error.what();
  }
  const Status status(TF_NewStatus());
  TF_SetStatus(status.get(), TF_INVALID_ARGUMENT, message.c_str());
  TF_OpKernelContext_Failure(context, status.get());
}

}  // namespace rigl

#endif  // TF_RIGL_NATIVE_TENSORFLOW_CALL_H_
