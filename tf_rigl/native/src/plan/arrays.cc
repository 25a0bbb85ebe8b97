#include "arrays.h"

#include "kernels.h"
#include "words.h"

namespace rigl::plan {
namespace {

constexpr size_t kBytes[] = {4, 4, 2, 2, 1};

float float_of_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

float float_of_half(uint16_t half) {
  // Shifted to the place of float32's exponent, which is 112 larger.
  const uint32_t magnitude = half & 0x7FFF;
  const float scaled = float_of_bits(magnitude << 13) * 0x1p112f;
  const float value =
      magnitude < 0x7C00 ? scaled
                         : float_of_bits(0x7F800000 | (magnitude << 13));
  return half & 0x8000 ? -value : value;
}

void check_index(const Weight& weight) {
  const int32_t* ptr = weight.row_ptr;
  bool ascending = ptr[0] == 0 && ptr[weight.rows] == weight.connections;
  for (int row = 0; row < weight.rows; row++) {
    ascending &= ptr[row] <= ptr[row + 1];
  }
  require(ascending, "rows of a weight are not in order");
  const bool below =
      weight.column_bytes == 2
          ? kernels().of<uint16_t>().are_below(
                static_cast<const uint16_t*>(weight.cols),
                weight.connections, weight.places)
          : kernels().of<int32_t>().are_below(
                static_cast<const int32_t*>(weight.cols), weight.connections,
                weight.places);
  require(below, "a place of a weight is outside of it");
}

}  // namespace

void Arrays::add(const uint8_t* entry) {
  const auto offset = value_at<uint64_t>(entry);
  const auto elements = value_at<uint64_t>(entry + 8);
  const auto type = value_at<uint32_t>(entry + 16);
  require(type <= uint32_t(Type::kInt8), "an array has no known type");
  const size_t size = kBytes[type];
  require(offset % 64 == 0 && offset <= bytes_ &&
              elements <= (bytes_ - offset) / size,
          "an array is not in it");
  arrays_.push_back({data_ + offset, elements, Type(type)});
}

const Arrays::Array* Arrays::array(int number, Type type,
                                   uint64_t elements) const {
  if (number < 0) return nullptr;
  const Array& found = arrays_[number];
  require(found.type == type && found.elements == elements,
          "an array has another size or type");
  return &found;
}

const float* Arrays::floats(int number, uint64_t elements) const {
  const Array* found = array(number, Type::kFloat, elements);
  return found ? reinterpret_cast<const float*>(found->data) : nullptr;
}

void Arrays::read_weight(const int* numbers, Weight& weight,
                         std::vector<std::vector<float>>& converted) const {
  weight.bias = floats(numbers[4], weight.rows);
  require(numbers[2] >= 0, "an array is missing");
  if (numbers[0] < 0) {
    weight.values =
        values_of(numbers[2], uint64_t(weight.rows) * weight.places,
                  numbers[3], weight, converted);
    return;
  }
  const Array* ptr = array(numbers[0], Type::kInt32, weight.rows + 1);
  weight.row_ptr = reinterpret_cast<const int32_t*>(ptr->data);
  require(numbers[1] >= 0, "an array is missing");
  const Array& cols = arrays_[numbers[1]];
  require(cols.elements <= INT32_MAX &&
              (cols.type == Type::kUint16 || cols.type == Type::kInt32),
          "places have another size or type");
  weight.connections = int(cols.elements);
  weight.cols = cols.data;
  weight.column_bytes = cols.type == Type::kUint16 ? 2 : 4;
  check_index(weight);
  weight.values =
      values_of(numbers[2], cols.elements, numbers[3], weight, converted);
}

// Values of a weight, whose index has been checked, as float32.
const float* Arrays::values_of(
    int number, uint64_t elements, int scale_number, const Weight& weight,
    std::vector<std::vector<float>>& converted) const {
  const Array& found = arrays_[number];
  if (found.type == Type::kFloat) return floats(number, elements);
  require(found.elements == elements, "an array has another size or type");
  std::vector<float> values(elements);
  if (found.type == Type::kFloat16) {
    for (uint64_t i = 0; i < elements; i++) {
      values[i] = float_of_half(value_at<uint16_t>(found.data + 2 * i));
    }
  } else {
    const float* scale = floats(scale_number, weight.rows);
    require(scale && found.type == Type::kInt8,
            "an array has another size or type");
    for (int row = 0; row < weight.rows; row++) {
      const uint64_t places = weight.places;
      const uint64_t begin =
          weight.is_dense() ? row * places : weight.row_ptr[row];
      const uint64_t end =
          weight.is_dense() ? begin + places : weight.row_ptr[row + 1];
      for (uint64_t i = begin; i < end; i++) {
        values[i] = scale[row] * value_at<int8_t>(found.data + i);
      }
    }
  }
  converted.push_back(std::move(values));
  return converted.back().data();
}

}  // namespace rigl::plan
