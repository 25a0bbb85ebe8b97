#include "candidates.h"

#include <algorithm>

#include "ranking.h"

namespace rigl {

Candidates::Candidates(size_t count, int32_t threshold)
    : count_(count), threshold_(threshold) {
  const size_t most = count + std::max(count / 2, kSpare);
  list_.reserve(most);
  memory_.reset(new int32_t[list_.capacity()]);
}

void Candidates::cut() {
  if (list_.size() <= count_) return;
  Highest highest(
      list_.size(), count_, [this](size_t i) { return list_[i].key; },
      memory_.get());
  threshold_ = std::max(threshold_, highest.threshold());

  size_t kept = 0;
  for (const Candidate& one : list_) {
    if (highest.includes(one.key)) list_[kept++] = one;
  }
  list_.erase(list_.begin() + kept, list_.end());
}

}  // namespace rigl
