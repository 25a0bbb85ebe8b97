// Reads files of plans, and trusts nothing in them.

#include <algorithm>
#include <cstring>

#include "kernels.h"
#include "plan_program.h"

namespace rigl::plan {
namespace {

constexpr int kHeaderBytes = 64;
constexpr int kEntryBytes = 24;
constexpr size_t kCheckedFrom = 16;

// Products of any two numbers of a file stay below 2^62, and places of elements
// in memory, with borders, below 2^31.
constexpr int64_t kMostElements = (int64_t(1) << 31) / 4;
constexpr int kMostDimension = 1 << 29;
constexpr int kMostTaps = 1 << 16;

[[noreturn]] void refuse(const std::string& reason) { throw Refused{reason}; }

void require(bool holds, const char* reason) {
  if (!holds) refuse(std::string("The file is damaged: ") + reason + ".");
}

template <class T>
T value_at(const uint8_t* data) {
  T value;
  std::memcpy(&value, data, sizeof value);
  return value;
}

// The numbers of the program, one after the other.
class Words {
 public:
  Words(const uint8_t* data, size_t count) : next_(data), left_(count) {}

  int take(int lowest, int highest) {
    require(left_ > 0, "the program ends too early");
    const int word = value_at<int32_t>(next_);
    next_ += 4;
    left_--;
    require(word >= lowest && word <= highest, "a number is out of range");
    return word;
  }

  int any() { return take(INT32_MIN, INT32_MAX); }

  // A number of things that take a word each at least.
  int count(int lowest = 0) {
    return take(lowest, int(std::min<size_t>(left_, INT32_MAX)));
  }

  size_t left() const { return left_; }

 private:
  const uint8_t* next_;
  size_t left_;
};

enum class Type : uint32_t { kFloat, kInt32, kUint16, kFloat16, kInt8 };

constexpr size_t kBytes[] = {4, 4, 2, 2, 1};

struct Array {
  const uint8_t* data;
  uint64_t elements;
  Type type;
};

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

class Reader {
 public:
  Reader(const uint8_t* data, size_t bytes) : data_(data), bytes_(bytes) {}

  Program read() {
    const size_t words = read_header();
    Words program(data_ + kHeaderBytes, words);
    read_shapes(program);
    read_numbers(program, program_.inputs);
    read_numbers(program, program_.outputs);
    const int operations = program.count();
    for (int i = 0; i < operations; i++) read_operation(program);
    check_order();
    read_names(program);
    require(program.left() == 0, "the program is too long");
    return std::move(program_);
  }

 private:
  size_t read_header() {
    if (bytes_ < 8 || std::memcmp(data_, "RIGLPLAN", 8) != 0) {
      refuse("This is no plan: it does not begin as plans do.");
    }
    require(bytes_ >= kHeaderBytes, "it is too short");
    const auto version = value_at<uint32_t>(data_ + 8);
    if (version != kVersion) {
      refuse("The plan is of version " + std::to_string(version) +
             ", and this library reads version " + std::to_string(kVersion) +
             ". Export the model again with this release.");
    }
    require(value_at<uint64_t>(data_ + 16) == bytes_, "its size is wrong");
    require(value_at<uint32_t>(data_ + 12) ==
                checksum(data_ + kCheckedFrom, bytes_ - kCheckedFrom),
            "its checksum is wrong");

    const uint64_t words = value_at<uint32_t>(data_ + 24);
    const uint64_t arrays = value_at<uint32_t>(data_ + 28);
    const uint64_t names = value_at<uint32_t>(data_ + 32);
    const uint64_t entries = kHeaderBytes + words * 4;
    const uint64_t names_at = entries + arrays * kEntryBytes;
    require(names_at + names <= bytes_, "its parts are longer than it");
    names_ = data_ + names_at;
    names_left_ = names;
    for (uint64_t i = 0; i < arrays; i++) {
      read_entry(data_ + entries + i * kEntryBytes);
    }
    return words;
  }

  void read_entry(const uint8_t* entry) {
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

  void read_shapes(Words& words) {
    const int count = words.count(1);
    for (int i = 0; i < count; i++) {
      Shape shape;
      shape.rank = words.take(1, 3);
      if (shape.rank == 3) shape.h = words.take(1, kMostDimension);
      if (shape.rank >= 2) shape.w = words.take(1, kMostDimension);
      shape.c = words.take(1, kMostDimension);
      require(int64_t(shape.h) * shape.w <= kMostElements &&
                  shape.elements() <= kMostElements,
              "a value is too large");
      program_.shapes.push_back(shape);
    }
  }

  int take_value(Words& words) {
    return words.take(0, int(program_.shapes.size()) - 1);
  }

  void read_numbers(Words& words, std::vector<int>& numbers) {
    const int count = words.count(1);
    for (int i = 0; i < count; i++) numbers.push_back(take_value(words));
  }

  const Shape& shape(int value) const { return program_.shapes[value]; }

  void read_operation(Words& words) {
    Operation one;
    one.kind = Kind(words.take(0, int(Kind::kCount) - 1));
    read_numbers(words, one.inputs);
    one.output = take_value(words);
    one.activation = Activation(words.take(0, int(Activation::kCount) - 1));
    const int slope = words.any();
    std::memcpy(&one.slope, &slope, sizeof slope);

    const int attributes = words.count();
    const size_t before = words.left();
    read_attributes(words, one);
    require(before - words.left() == size_t(attributes),
            "an operation has other attributes");

    const int arrays = words.count();
    std::vector<int> numbers(arrays);
    for (int& number : numbers) number = words.take(-1, int(arrays_.size()) - 1);
    read_arrays(numbers, one);
    require(has_right_shapes(program_, one), "an operation has other shapes");
    program_.operations.push_back(std::move(one));
  }

  void read_attributes(Words& words, Operation& one) {
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
        require(channels * one.groups == shape(one.inputs[0]).c &&
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
      default:
        return;
    }
  }

  const Array* array(int number, Type type, uint64_t elements) const {
    if (number < 0) return nullptr;
    const Array& found = arrays_[number];
    require(found.type == type && found.elements == elements,
            "an array has another size or type");
    return &found;
  }

  const float* floats(int number, uint64_t elements) const {
    const Array* found = array(number, Type::kFloat, elements);
    return found ? reinterpret_cast<const float*>(found->data) : nullptr;
  }

  void read_arrays(const std::vector<int>& numbers, Operation& one) {
    const bool has_weight =
        one.kind == Kind::kDense || one.kind == Kind::kConvolution;
    const size_t expected = has_weight ? 5 : one.kind == Kind::kAffine ? 2 : 0;
    require(numbers.size() == expected, "an operation has other arrays");
    if (has_weight) read_weight(numbers, one.weight);
    if (one.kind == Kind::kAffine) {
      one.scale = floats(numbers[0], shape(one.output).c);
      one.offset = floats(numbers[1], shape(one.output).c);
      require(one.scale && one.offset, "an array is missing");
    }
  }

  void read_weight(const std::vector<int>& numbers, Weight& weight) {
    weight.bias = floats(numbers[4], weight.rows);
    require(numbers[2] >= 0, "an array is missing");
    if (numbers[0] < 0) {
      weight.values = values_of(
          numbers[2], uint64_t(weight.rows) * weight.places, numbers[3], weight);
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
    weight.values = values_of(numbers[2], cols.elements, numbers[3], weight);
  }

  // Values of a weight, whose index has been checked, as float32.
  const float* values_of(int number, uint64_t elements, int scale_number,
                         const Weight& weight) {
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
    program_.converted.push_back(std::move(values));
    return program_.converted.back().data();
  }

  static void check_index(const Weight& weight) {
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

  void check_order() const;

  void read_names(Words& words) {
    const size_t inputs = program_.inputs.size();
    const size_t outputs = program_.outputs.size();
    const size_t operations = program_.operations.size();
    const size_t count = words.count();
    require(count == inputs + outputs + operations, "names are missing");
    for (size_t i = 0; i < count; i++) {
      const int length = words.take(0, int(std::min<uint64_t>(
                                           names_left_, INT32_MAX)));
      std::string name(reinterpret_cast<const char*>(names_), length);
      names_ += length;
      names_left_ -= length;
      auto& list = i < inputs             ? program_.input_names
                   : i < inputs + outputs ? program_.output_names
                                          : program_.operation_names;
      list.push_back(std::move(name));
    }
    require(names_left_ == 0, "names are too long");
  }

  const uint8_t* data_;
  const size_t bytes_;
  const uint8_t* names_ = nullptr;
  uint64_t names_left_ = 0;
  std::vector<Array> arrays_;
  Program program_;
};

// Each value is an input or made by one operation, before it is used.
void Reader::check_order() const {
  std::vector<bool> made(program_.shapes.size());
  const auto make = [&](int value) {
    require(!made[value], "a value is made twice");
    made[value] = true;
  };
  for (int value : program_.inputs) make(value);
  for (const Operation& one : program_.operations) {
    for (int value : one.inputs) {
      require(made[value], "a value is used before it is made");
    }
    make(one.output);
  }
  for (int value : program_.outputs) {
    require(made[value], "an output is not made");
  }
}

}  // namespace

Program read_program(const uint8_t* data, size_t bytes) {
  return Reader(data, bytes).read();
}

}  // namespace rigl::plan
