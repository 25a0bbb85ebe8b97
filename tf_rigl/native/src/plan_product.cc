#include "plan_product.h"

#include <algorithm>
#include <cstring>

#include "bounds.h"

namespace rigl::plan {
namespace {

constexpr int kGroup = 16;  // outputs of a lookup
constexpr int kChunk = 32;  // inputs of a lookup

// Bytes of a step of a lookup with a value for each output, and of all that the
// second cache holds.
constexpr int64_t kStepBytes = kGroup * (sizeof(float) + 1);
constexpr int64_t kCachedBytes = 1 << 20;

// Calls function(row, place, value) of each connection, ascending.
template <class Function>
void for_connections(const Weight& weight, int begin, int end,
                     const Function& function) {
  with_columns(weight.cols, weight.column_bytes, [&](auto* cols) {
    for (int row = begin; row < end; row++) {
      for (int j = weight.row_ptr[row]; j < weight.row_ptr[row + 1]; j++) {
        function(row, int(cols[j]), weight.values[j]);
      }
    }
  });
}

}  // namespace

VectorProduct::VectorProduct(const Weight& weight, bool repeated)
    : weight_(weight), repeated_(repeated), bias_(weight.bias) {
  if (!bias_) {
    no_bias_.resize(weight.rows);
    bias_ = no_bias_.data();
  }
}

int64_t VectorProduct::temporary_floats() const {
  // Offsets for dense kernels.
  return weight_.is_dense() ? rounded(weight_.places) : 0;
}

int VectorProduct::narrowest() const {
  // The kernel for dense planes writes whole vectors.
  return weight_.is_dense() ? kWidestVector : 4;
}

void VectorProduct::prepare(int tile) const {
  if (weight_.is_dense()) {
    std::call_once(once_packed_, [this] { pack_dense(); });
  } else if (tile == 1 && plan_kernels().lookup) {
    std::call_once(once_, [this] { make_lookup(); });
  }
}

void VectorProduct::pack_dense() const {
  const int places = weight_.places;
  const int blocks = (weight_.rows + kDenseRows - 1) / kDenseRows;
  packed_.resize(size_t(blocks) * kDenseRows * places);
  for (int row = 0; row < weight_.rows; row++) {
    float* block =
        &packed_[size_t(row - row % kDenseRows) * places + row % kDenseRows];
    const float* values = weight_.values + size_t(row) * places;
    for (int j = 0; j < places; j++) block[size_t(j) * kDenseRows] = values[j];
  }
}

void VectorProduct::make_lookup() const {
  const int groups = (weight_.rows + kGroup - 1) / kGroup;
  const int chunks = (weight_.places + kChunk - 1) / kChunk;
  counts_.resize(size_t(groups) * chunks);
  starts_.resize(groups + 1);

  // How many connections of each output of a group are in each chunk.
  std::vector<int> filled(size_t(chunks) * kGroup);
  int64_t steps = 0;
  for (int group = 0; group < groups; group++) {
    std::fill(filled.begin(), filled.end(), 0);
    const int begin = group * kGroup;
    const int end = std::min(begin + kGroup, weight_.rows);
    for_connections(weight_, begin, end, [&](int row, int place, float) {
      filled[place / kChunk * kGroup + row - begin]++;
    });
    starts_[group] = steps;
    for (int chunk = 0; chunk < chunks; chunk++) {
      const int* here = &filled[size_t(chunk) * kGroup];
      // A damaged file may say that one place is there many times.
      const int most = std::min(*std::max_element(here, here + kGroup), 255);
      counts_[size_t(group) * chunks + chunk] = uint8_t(most);
      steps += most;
    }
  }
  starts_[groups] = steps;

  // The connections of a group by steps, [steps of the group][16].
  std::vector<float> values;
  std::vector<int64_t> first(chunks);
  const bool has_gaps = repeated_ && steps * kStepBytes <= kCachedBytes;
  lookup_places_.resize(steps * kGroup);
  lanes_.resize(steps);
  lookup_values_.reserve(has_gaps ? steps * kGroup : weight_.connections);
  for (int group = 0; group < groups; group++) {
    const uint8_t* counts = &counts_[size_t(group) * chunks];
    int64_t step = starts_[group];
    for (int chunk = 0; chunk < chunks; chunk++) {
      first[chunk] = step;
      step += counts[chunk];
    }
    values.assign((step - starts_[group]) * kGroup, 0);
    std::fill(filled.begin(), filled.end(), 0);
    const int begin = group * kGroup;
    const int end = std::min(begin + kGroup, weight_.rows);
    for_connections(weight_, begin, end, [&](int row, int place, float value) {
      const int chunk = place / kChunk, lane = row - begin;
      const int number = filled[chunk * kGroup + lane]++;
      if (number >= counts[chunk]) return;
      const int64_t here = first[chunk] + number;
      lanes_[here] |= uint16_t(1 << lane);
      lookup_places_[here * kGroup + lane] = uint8_t(place % kChunk);
      values[(here - starts_[group]) * kGroup + lane] = value;
    });

    firsts_.push_back(int64_t(lookup_values_.size()));
    for (int64_t one = starts_[group]; one < step; one++) {
      for (int lane = 0; lane < kGroup; lane++) {
        if (!has_gaps && !(lanes_[one] >> lane & 1)) continue;
        lookup_values_.push_back(values[(one - starts_[group]) * kGroup + lane]);
      }
    }
  }
  if (has_gaps) lanes_.clear();
}

void VectorProduct::run(const Context& context, const float* in, float* out,
                        float* temporary) const {
  if (weight_.is_dense()) return run_dense(context, in, out, temporary);
  if (context.tile == 1 && context.kernels.lookup && !starts_.empty()) {
    return run_lookup(context, in, out);
  }
  if (weight_.column_bytes == 2) {
    run_sparse<uint16_t>(context, in, out);
  } else {
    run_sparse<int32_t>(context, in, out);
  }
}

template <class Column>
void VectorProduct::run_sparse(const Context& context, const float* in,
                               float* out) const {
  const auto& columns = kernels().of<Column>();
  const int tile = context.tile;
  const int parts =
      context.split ? parts_for(int64_t(weight_.connections) * tile) : 1;
  const auto cuts = cut_rows(weight_.row_ptr, weight_.rows, parts);
  const auto part = [&](int number) {
    const Rows<Column> rows{cuts[number], cuts[number + 1], weight_.row_ptr,
                            static_cast<const Column*>(weight_.cols)};
    if (tile == 1) {
      columns.vector_product(rows, weight_.values, bias_, in, out);
    } else {
      columns.product(rows, weight_.values, bias_, in, tile,
                      out + int64_t(cuts[number]) * tile);
    }
  };
  if (cuts.size() == 2) return part(0);
  parallel_for(int(cuts.size()) - 1, part);
}

void VectorProduct::run_lookup(const Context& context, const float* in,
                               float* out) const {
  const int groups = int(starts_.size()) - 1;
  const int chunks = int(counts_.size()) / groups;
  const Lookup table{chunks,         counts_.data(),
                     starts_.data(), firsts_.data(),
                     lanes_.empty() ? nullptr : lanes_.data(),
                     lookup_places_.data(),
                     lookup_values_.data()};
  // The last group may be of fewer outputs; what is after it is not a value.
  for_parts(context, starts_[groups] * kGroup, groups, [&](int begin, int end) {
    context.kernels.lookup(table, begin, end, in, out);
    const int from = begin * kGroup;
    const int to = std::min(end * kGroup, weight_.rows);
    context.kernels.add(out + from, bias_ + from, out + from, to - from);
  });
}

void VectorProduct::run_dense(const Context& context, const float* in,
                              float* out, float* temporary) const {
  const int64_t work =
      int64_t(weight_.rows) * weight_.places * context.tile;
  if (context.tile == 1) {
    // Parts are of whole blocks, so that a sum does not depend on them.
    const int all = (weight_.rows + kVectorRows - 1) / kVectorRows;
    for_parts(context, work, all, [&](int first, int next) {
      const int begin = first * kVectorRows;
      const int end = std::min(next * kVectorRows, weight_.rows);
      context.kernels.dense_vector(
          weight_.values + int64_t(begin) * weight_.places, weight_.places, in,
          bias_ + begin, out + begin, end - begin);
    });
    return;
  }

  auto* offsets = reinterpret_cast<int32_t*>(temporary);
  for (int j = 0; j < weight_.places; j++) offsets[j] = j * context.tile;
  const int blocks = (weight_.rows + kDenseRows - 1) / kDenseRows;
  for_parts(context, work, blocks, [&](int begin, int end) {
    const DenseRows rows{begin * kDenseRows,
                         std::min(end * kDenseRows, weight_.rows),
                         weight_.places, offsets, packed_.data()};
    const Planes planes{in,      out,   context.tile,
                        nullptr, 0,     context.tile,
                        bias_,   Activation::kLinear, 0};
    context.kernels.dense_planes(rows, planes);
  });
}

}  // namespace rigl::plan
