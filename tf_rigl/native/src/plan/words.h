// The numbers of a file of a plan, of which none is trusted.
#ifndef TF_RIGL_NATIVE_PLAN_WORDS_H_
#define TF_RIGL_NATIVE_PLAN_WORDS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "program.h"

namespace rigl::plan {

// Products of any two numbers of a file stay below 2^62, and places of elements
// in memory, with borders, below 2^31.
constexpr int64_t kMostElements = (int64_t(1) << 31) / 4;
constexpr int kMostDimension = 1 << 29;

[[noreturn]] inline void refuse(const std::string& reason) {
  throw Refused{reason};
}

inline void require(bool holds, const char* reason) {
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

  // A number that is no integer.
  float real() {
    const int bits = any();
    float number;
    std::memcpy(&number, &bits, sizeof number);
    return number;
  }

  // A number of things that take a word each at least.
  int count(int lowest = 0) {
    return take(lowest, int(std::min<size_t>(left_, INT32_MAX)));
  }

  size_t left() const { return left_; }

 private:
  const uint8_t* next_;
  size_t left_;
};

}  // namespace rigl::plan

#endif  // TF_RIGL_NATIVE_PLAN_WORDS_H_
