// Ranks of scores as single integers: by magnitude, then by the lowest place.
#ifndef TF_RIGL_NATIVE_RANKING_H_
#define TF_RIGL_NATIVE_RANKING_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

namespace rigl {

// The magnitude of a float as an integer of the same order, with NaN above
// infinity, as in tf_rigl/core/selection.py.
inline int32_t magnitude_key(float score) {
  int32_t bits;
  std::memcpy(&bits, &score, sizeof bits);
  return bits & 0x7fffffff;
}

constexpr int32_t kInfinityKey = 0x7f800000;

inline bool is_finite(float score) {
  return magnitude_key(score) < kInfinityKey;
}

// The higher, the better.
inline uint64_t rank(int32_t key, uint32_t place) {
  return uint64_t(key) << 32 | (UINT32_MAX - place);
}

inline int32_t key_of(uint64_t rank) { return int32_t(rank >> 32); }

inline uint32_t place_of(uint64_t rank) {
  return UINT32_MAX - uint32_t(rank & UINT32_MAX);
}

// Reorders ranks and returns the lowest of the `count` highest: 0 if all are
// among them, UINT64_MAX if count is 0. Ranks are distinct and not 0.
inline uint64_t lowest_of_highest(std::vector<uint64_t>& ranks, size_t count) {
  if (count == 0) return UINT64_MAX;
  if (count >= ranks.size()) return 0;
  const auto last = ranks.begin() + (count - 1);
  std::nth_element(ranks.begin(), last, ranks.end(), std::greater<uint64_t>());
  return *last;
}

}  // namespace rigl

#endif  // TF_RIGL_NATIVE_RANKING_H_
