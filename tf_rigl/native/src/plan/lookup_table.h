// The connections of a weight, in the order in which lookups take them.
#ifndef TF_RIGL_NATIVE_PLAN_LOOKUP_TABLE_H_
#define TF_RIGL_NATIVE_PLAN_LOOKUP_TABLE_H_

#include <cstdint>
#include <vector>

#include "plan_kernels.h"
#include "program.h"

namespace rigl::plan {

// How a table is laid out, as it is stored.
enum class Layout : char { kUnknown = '-', kWithGaps = 'g', kPacked = 'p' };

class LookupTable {
 public:
  // Outputs of a group, which are looked up together.
  static constexpr int kGroup = 16;

  // Of a weight that is `repeated`, products follow each other at once. A layout
  // that is unknown is chosen by measurement.
  LookupTable(const Weight& weight, bool repeated, Layout layout);

  Layout layout() const {
    return lanes_.empty() ? Layout::kWithGaps : Layout::kPacked;
  }

  int groups() const { return int(starts_.size()) - 1; }

  // How many multiplications a product takes, those by gaps included.
  int64_t work() const { return starts_.back() * kGroup; }

  Lookup view() const;

 private:
  void count_steps(const Weight& weight);
  void fill(const Weight& weight);
  void close_gaps_if_faster(bool repeated, Layout layout);

  int chunks_;
  std::vector<uint8_t> counts_, places_;
  std::vector<int64_t> starts_, firsts_;
  std::vector<uint16_t> lanes_;  // empty if there is a value for each output
  std::vector<float> values_;
};

}  // namespace rigl::plan

#endif  // TF_RIGL_NATIVE_PLAN_LOOKUP_TABLE_H_
