// A weight times vectors: one, or a tile of them.
#ifndef TF_RIGL_NATIVE_PLAN_PRODUCT_H_
#define TF_RIGL_NATIVE_PLAN_PRODUCT_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "lookup_table.h"
#include "steps.h"

namespace rigl::plan {

class VectorProduct {
 public:
  // Of a weight that is `repeated`, products follow each other at once.
  explicit VectorProduct(const Weight& weight, bool repeated = false);

  // Floats of memory, times the width of the tile, that `run` needs.
  int64_t temporary_floats() const;

  // The narrowest tile that it can be called with, but for 1.
  int narrowest() const;

  void prepare(int tile) const;

  // How the table for one vector is laid out; unknown until it is made. One that
  // is set before is taken as it is.
  Layout layout() const { return layout_.load(); }
  void set_layout(Layout layout) const { layout_.store(layout); }

  // out [rows][tile] = bias + weight · in [places][tile]. Up to 15 floats after
  // the end of `out` are overwritten; as many, and those up to a multiple of 32
  // places, can be read after `in`.
  void run(const Context& context, const float* in, float* out,
           float* temporary) const;

 private:
  template <class Column>
  void run_sparse(const Context& context, const float* in, float* out) const;
  void run_lookup(const Context& context, const float* in, float* out) const;
  void run_dense(const Context& context, const float* in, float* out,
                 float* temporary) const;
  void pack_dense() const;

  const Weight weight_;
  const bool repeated_;
  std::vector<float> no_bias_;
  const float* bias_;

  // Made when they are first needed.
  mutable std::atomic<Layout> layout_{Layout::kUnknown};
  mutable std::once_flag once_;
  mutable std::unique_ptr<const LookupTable> lookup_;
  mutable std::once_flag once_packed_;
  mutable std::vector<float> packed_;
};

}  // namespace rigl::plan

#endif  // TF_RIGL_NATIVE_PLAN_PRODUCT_H_
