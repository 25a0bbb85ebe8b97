// Reads files of plans, and trusts nothing in them.

#include <algorithm>

#include "operation.h"

namespace rigl::plan {
namespace {

constexpr int kHeaderBytes = 64;
constexpr int kEntryBytes = 24;
constexpr size_t kCheckedFrom = 16;

class Reader {
 public:
  Reader(const uint8_t* data, size_t bytes)
      : data_(data), bytes_(bytes), arrays_(data, bytes) {}

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
      arrays_.add(data_ + entries + i * kEntryBytes);
    }
    return words;
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

  void read_numbers(Words& words, std::vector<int>& numbers, int fewest = 1) {
    const int count = words.count(fewest);
    for (int i = 0; i < count; i++) numbers.push_back(take_value(words));
  }

  void read_operation(Words& words) {
    Operation one;
    one.kind = Kind(words.take(0, int(Kind::kCount) - 1));
    read_numbers(words, one.inputs, one.kind == Kind::kConstant ? 0 : 1);
    one.output = take_value(words);
    one.activation = Activation(words.take(0, int(Activation::kCount) - 1));
    one.slope = words.real();

    const int attributes = words.count();
    const size_t before = words.left();
    read_attributes(words, program_, one);
    require(before - words.left() == size_t(attributes),
            "an operation has other attributes");

    const int arrays = words.count();
    std::vector<int> numbers(arrays);
    for (int& number : numbers) number = words.take(-1, arrays_.count() - 1);
    read_arrays(numbers, arrays_, program_, one);
    require(has_right_shapes(program_, one), "an operation has other shapes");
    program_.operations.push_back(std::move(one));
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
  Arrays arrays_;
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
    // Their numbers are checked before a run.
    if (one.kind == Kind::kEmbedding) {
      const auto& inputs = program_.inputs;
      require(std::count(inputs.begin(), inputs.end(), one.inputs[0]) == 1,
              "an embedding is of no input");
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
