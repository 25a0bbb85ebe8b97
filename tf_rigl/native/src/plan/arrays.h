// The arrays of a file of a plan, and the weights that they make.
#ifndef TF_RIGL_NATIVE_PLAN_ARRAYS_H_
#define TF_RIGL_NATIVE_PLAN_ARRAYS_H_

#include <cstdint>
#include <vector>

#include "program.h"

namespace rigl::plan {

class Arrays {
 public:
  enum class Type : uint32_t { kFloat, kInt32, kUint16, kFloat16, kInt8 };

  Arrays(const uint8_t* data, size_t bytes) : data_(data), bytes_(bytes) {}

  int count() const { return int(arrays_.size()); }

  // Adds the array that an entry of the list describes.
  void add(const uint8_t* entry);

  // Returns so many elements; nullptr for a number of -1.
  const float* floats(int number, uint64_t elements) const;

  // Numbers are those of row_ptr, places, values, scale and bias. `weight` has
  // its size. Values in another type than float32 are kept in `converted`.
  void read_weight(const int* numbers, Weight& weight,
                   std::vector<std::vector<float>>& converted) const;

 private:
  struct Array {
    const uint8_t* data;
    uint64_t elements;
    Type type;
  };

  const Array* array(int number, Type type, uint64_t elements) const;
  const float* values_of(int number, uint64_t elements, int scale_number,
                         const Weight& weight,
                         std::vector<std::vector<float>>& converted) const;

  const uint8_t* const data_;
  const size_t bytes_;
  std::vector<Array> arrays_;
};

}  // namespace rigl::plan

#endif  // TF_RIGL_NATIVE_PLAN_ARRAYS_H_
