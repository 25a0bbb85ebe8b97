#include "vector_product.h"

#include <algorithm>

#include "kernels.h"

namespace rigl::plan {

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
    std::call_once(once_, [this] {
      lookup_ = std::make_unique<LookupTable>(weight_, repeated_, layout());
      set_layout(lookup_->layout());
    });
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

void VectorProduct::run(const Context& context, const float* in, float* out,
                        float* temporary) const {
  if (weight_.is_dense()) return run_dense(context, in, out, temporary);
  if (context.tile == 1 && context.kernels.lookup && lookup_) {
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
  const Lookup table = lookup_->view();
  constexpr int kGroup = LookupTable::kGroup;
  // The last group may be of fewer outputs; what is after it is not a value.
  for_parts(context, lookup_->work(), lookup_->groups(),
            [&](int begin, int end) {
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
                         weight_.places, offsets, packed_.data(), true};
    const Planes planes{in,      out,   context.tile,
                        nullptr, 0,     context.tile,
                        bias_,   Activation::kLinear, 0};
    context.kernels.dense_planes(rows, planes);
  });
}

}  // namespace rigl::plan
