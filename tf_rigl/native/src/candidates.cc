#include "candidates.h"

#include <algorithm>

#include "ranking.h"

namespace rigl {
namespace {

// More than a block of the gradient can add at once.
constexpr size_t kLeastSpare = 8192;

}  // namespace

Candidates::Candidates(size_t count, int32_t threshold)
    : count_(count), threshold_(threshold) {
  ranks_.reserve(count + std::max(count / 2, kLeastSpare));
}

void Candidates::cut() {
  const uint64_t lowest = lowest_of_highest(ranks_, count_);
  if (ranks_.size() <= count_) return;
  ranks_.resize(count_);
  if (count_) threshold_ = std::max(threshold_, key_of(lowest));
}

void sort_by_place(std::vector<uint64_t>& ranks) {
  constexpr int kDigitBits = 11;
  constexpr uint32_t kDigits = 1 << kDigitBits;
  if (ranks.size() < kDigits) {
    std::sort(ranks.begin(), ranks.end(), [](uint64_t a, uint64_t b) {
      return place_of(a) < place_of(b);
    });
    return;
  }

  // By digits, lowest first: comparisons would take ten times as long.
  std::vector<uint64_t> other(ranks.size());
  for (int shift = 0; shift < 32; shift += kDigitBits) {
    std::vector<uint32_t> starts(kDigits + 1);
    const auto digit = [shift](uint64_t rank) {
      return place_of(rank) >> shift & (kDigits - 1);
    };
    for (const uint64_t one : ranks) starts[digit(one) + 1]++;
    for (uint32_t i = 0; i < kDigits; i++) starts[i + 1] += starts[i];
    for (const uint64_t one : ranks) other[starts[digit(one)]++] = one;
    ranks.swap(other);
  }
}

}  // namespace rigl
