// Activations by the numbers that files of plans have for them.
#ifndef TF_RIGL_NATIVE_ACTIVATIONS_H_
#define TF_RIGL_NATIVE_ACTIVATIONS_H_

#include <cstdint>

namespace rigl::plan {

enum class Activation : int32_t {
  kLinear,
  kRelu,
  kRelu6,
  kLeakyRelu,
  kElu,
  kSigmoid,
  kHardSigmoid,
  kTanh,
  kSwish,
  kHardSwish,
  kGelu,
  kGeluTanh,
  kSoftmax,
  kCount,
};

}  // namespace rigl::plan

#endif  // TF_RIGL_NATIVE_ACTIVATIONS_H_
