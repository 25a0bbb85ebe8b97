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
  // key(i) is the key of each i below `size`, and not negative. Three passes
  // over them, as in tf_rigl/core/order_statistic.py.
  template <class Key>
  Highest(size_t size, size_t count, const Key& key) {
    if (count >= size) {
      ties_ = size;
      return;
    }
    int32_t threshold = 0;
    for (int bits = 31; bits > 0;) {
      const int width = bits < kDigit ? bits : kDigit;
      const int32_t leading = bits == 31 ? 0 : threshold >> bits;
      bits -= width;
      uint32_t histogram[2][1 << kDigit] = {};
      for (size_t i = 0; i < size; i++) {
        const int32_t rest = key(i) >> bits;
        // Two histograms: the same digit often follows itself.
        if (rest >> width == leading) {
          histogram[i & 1][rest & ((1 << width) - 1)]++;
        }
      }

      int digit = (1 << width) - 1;
      for (;; digit--) {
        const size_t here = histogram[0][digit] + histogram[1][digit];
        if (here >= count || digit == 0) break;
        count -= here;
      }
      threshold |= digit << bits;
    }
    threshold_ = threshold;
    ties_ = count;
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

  int32_t threshold_ = 0;
  size_t ties_ = 0;  // of the keys that equal the threshold
};

}  // namespace rigl

#endif  // TF_RIGL_NATIVE_RANKING_H_
