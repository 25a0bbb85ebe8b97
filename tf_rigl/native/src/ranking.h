// The highest of many scores, without sorting them.
#ifndef TF_RIGL_NATIVE_RANKING_H_
#define TF_RIGL_NATIVE_RANKING_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace rigl {

// The magnitude of a float as an integer of the same order, with NaN above
// infinity, as in tf_rigl/core/selection.py.
inline int32_t magnitude_key(float score) {
  int32_t bits;
  std::memcpy(&bits, &score, sizeof bits);
  return bits & 0x7fffffff;
}

inline float magnitude_of(int32_t key) {
  float score;
  std::memcpy(&score, &key, sizeof score);
  return score;
}

inline bool is_finite(float score) {
  return magnitude_key(score) < 0x7f800000;
}

// Chooses a number of keys, the highest; of those that equal the last one the
// first, if `includes` is asked about each once and in order.
class Highest {
 public:
  // key(i) is the key of each i below `size`, and not negative. The digits of
  // the threshold are found one after the other, as in
  // tf_rigl/core/order_statistic.py; after the first, among the keys that have
  // it, which are written to `memory` [size]. Where key(i) reads memory[i],
  // the keys themselves are lost.
  template <class Key>
  Highest(size_t size, size_t count, const Key& key, int32_t* memory)
      : ties_(count) {
    if (count >= size) {
      ties_ = size;
      return;
    }
    int bits = 31 - kDigit;
    const size_t same = choose_digit(size, bits, kDigit, key);

    // Each is written and only some are counted: a branch could not be
    // predicted.
    size_t found = 0;
    const int32_t leading = threshold_ >> bits;
    for (size_t i = 0; i < size; i++) {
      const int32_t one = key(i);
      memory[found] = one;
      found += one >> bits == leading;
    }

    while (bits > 0) {
      const int width = bits < kDigit ? bits : kDigit;
      bits -= width;
      choose_digit(same, bits, width, [&](size_t i) { return memory[i]; });
    }
  }

  // All keys above it are chosen, and at most so many of those that equal it.
  int32_t threshold() const { return threshold_; }
  size_t ties() const { return ties_; }

  bool includes(int32_t key) {
    if (key != threshold_) return key > threshold_;
    if (ties_ == 0) return false;
    ties_--;
    return true;
  }

 private:
  static constexpr int kDigit = 11;

  // Finds one digit of the threshold, of `width` bits above `bits`, among keys
  // that have the digits before, and leaves in `ties_` how many of those that
  // have it, too, are chosen. Returns how many there are.
  template <class Key>
  size_t choose_digit(size_t size, int bits, int width, const Key& key) {
    const int32_t leading = threshold_ >> bits >> width;
    // Two histograms: the same digit often follows itself.
    uint32_t histogram[2][1 << kDigit] = {};
    for (size_t i = 0; i < size; i++) {
      const int32_t rest = key(i) >> bits;
      if (rest >> width == leading) {
        histogram[i & 1][rest & ((1 << width) - 1)]++;
      }
    }

    for (int digit = (1 << width) - 1;; digit--) {
      const size_t here = histogram[0][digit] + histogram[1][digit];
      if (here >= ties_ || digit == 0) {
        threshold_ |= digit << bits;
        return here;
      }
      ties_ -= here;
    }
  }

  int32_t threshold_ = 0;
  size_t ties_;  // of the keys that equal the threshold
};

}  // namespace rigl

#endif  // TF_RIGL_NATIVE_RANKING_H_
