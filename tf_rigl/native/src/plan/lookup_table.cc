#include "lookup_table.h"

#include <algorithm>
#include <chrono>

#include "connections.h"

namespace rigl::plan {
namespace {

constexpr int kGroup = LookupTable::kGroup;
constexpr int kChunk = 32;  // inputs that are looked up together

// A table that is smaller is read from the first caches in any case.
constexpr size_t kWorthTiming = size_t(64) << 10;  // bytes of values
// What is read between two products of a network takes the place of a weight in
// the second cache.
constexpr size_t kSecondCache = size_t(2) << 20;  // bytes
constexpr int kTrials = 5;

int end_of(const Weight& weight, int begin) {
  return std::min(begin + kGroup, weight.rows);
}

// Times products of tables, which take turns.
class Timing {
 public:
  Timing(const Lookup& table, int groups, bool repeated)
      : groups_(groups),
        x_(size_t(table.chunks) * kChunk),
        y_(size_t(groups) * kGroup),
        others_(repeated ? 0 : kSecondCache) {}

  // Returns how long a product takes, in no unit.
  std::chrono::steady_clock::duration take(const Lookup& table) {
    for (size_t i = 0; i < others_.size(); i += 64) others_[i]++;
    const auto start = std::chrono::steady_clock::now();
    plan_kernels().lookup(table, 0, groups_, x_.data(), y_.data());
    return std::chrono::steady_clock::now() - start;
  }

 private:
  const int groups_;
  std::vector<float> x_, y_;
  std::vector<uint8_t> others_;
};

}  // namespace

LookupTable::LookupTable(const Weight& weight, bool repeated, Layout layout)
    : chunks_((weight.places + kChunk - 1) / kChunk) {
  count_steps(weight);
  fill(weight);
  close_gaps_if_faster(repeated, layout);
}

Lookup LookupTable::view() const {
  return {chunks_,        counts_.data(),
          starts_.data(), firsts_.data(),
          lanes_.empty() ? nullptr : lanes_.data(),
          places_.data(), values_.data()};
}

// The steps of a chunk are the most connections that an output has in it.
void LookupTable::count_steps(const Weight& weight) {
  const int all = (weight.rows + kGroup - 1) / kGroup;
  counts_.resize(size_t(all) * chunks_);
  std::vector<int> filled(size_t(chunks_) * kGroup);
  int64_t steps = 0;
  for (int group = 0; group < all; group++) {
    starts_.push_back(steps);
    firsts_.push_back(steps * kGroup);
    std::fill(filled.begin(), filled.end(), 0);
    const int begin = group * kGroup;
    for_connections(weight, begin, end_of(weight, begin),
                    [&](int row, int place, float) {
                      filled[place / kChunk * kGroup + row - begin]++;
                    });
    for (int chunk = 0; chunk < chunks_; chunk++) {
      const int* here = &filled[size_t(chunk) * kGroup];
      // A damaged file may say that one place is there many times.
      const int most = std::min(*std::max_element(here, here + kGroup), 255);
      counts_[size_t(group) * chunks_ + chunk] = uint8_t(most);
      steps += most;
    }
  }
  starts_.push_back(steps);
}

void LookupTable::fill(const Weight& weight) {
  const size_t steps = size_t(starts_.back());
  places_.resize(steps * kGroup);
  values_.resize(steps * kGroup);
  lanes_.resize(steps);
  std::vector<int> filled(size_t(chunks_) * kGroup);
  std::vector<int64_t> first(chunks_);
  for (int group = 0; group < groups(); group++) {
    const uint8_t* counts = &counts_[size_t(group) * chunks_];
    int64_t step = starts_[group];
    for (int chunk = 0; chunk < chunks_; chunk++) {
      first[chunk] = step;
      step += counts[chunk];
    }
    std::fill(filled.begin(), filled.end(), 0);
    const int begin = group * kGroup;
    for_connections(weight, begin, end_of(weight, begin),
                    [&](int row, int place, float value) {
                      const int chunk = place / kChunk, lane = row - begin;
                      const int number = filled[chunk * kGroup + lane]++;
                      if (number >= counts[chunk]) return;
                      const int64_t here = first[chunk] + number;
                      lanes_[here] |= uint16_t(1 << lane);
                      places_[here * kGroup + lane] = uint8_t(place % kChunk);
                      values_[here * kGroup + lane] = value;
                    });
  }
}

// Without gaps a table is smaller, which is faster where memory is the bound;
// to spread the values over the outputs takes longer on some processors than on
// others. Sums of finite inputs have the same bits either way.
void LookupTable::close_gaps_if_faster(bool repeated, Layout layout) {
  std::vector<float> packed;
  std::vector<int64_t> firsts;
  const bool is_timed = layout == Layout::kUnknown &&
                        values_.size() * sizeof(float) > kWorthTiming;
  const bool is_packed = is_timed || layout == Layout::kPacked;
  for (int group = 0; is_packed && group < groups(); group++) {
    firsts.push_back(int64_t(packed.size()));
    for (int64_t i = starts_[group] * kGroup; i < starts_[group + 1] * kGroup;
         i++) {
      if (lanes_[i / kGroup] >> i % kGroup & 1) packed.push_back(values_[i]);
    }
  }

  bool is_faster = layout == Layout::kPacked;
  if (is_timed) {
    Lookup with_gaps = view();
    with_gaps.lanes = nullptr;
    Lookup without = view();
    without.firsts = firsts.data(), without.values = packed.data();
    Timing timing(without, groups(), repeated);
    auto least = timing.take(without), least_with_gaps = timing.take(with_gaps);
    for (int i = 0; i < kTrials; i++) {
      least = std::min(least, timing.take(without));
      least_with_gaps = std::min(least_with_gaps, timing.take(with_gaps));
    }
    is_faster = least < least_with_gaps;
  }
  if (is_faster) {
    values_.swap(packed);
    firsts_.swap(firsts);
    return;
  }
  std::vector<uint16_t>().swap(lanes_);
}

}  // namespace rigl::plan
