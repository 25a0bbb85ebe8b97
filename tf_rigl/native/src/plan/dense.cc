// Dense layers of vectors.

#include "vector_product.h"

namespace rigl::plan {
namespace {

struct DenseStep : Step {
  explicit DenseStep(const Operation& one) : one(one), product(one.weight) {
    temporary_floats = product.temporary_floats();
    narrowest = product.narrowest();
  }

  void prepare(int tile) const override { product.prepare(tile); }

  void add_products(std::vector<const VectorProduct*>& all) const override {
    all.push_back(&product);
  }

  void run(const Context& context) const override {
    const View in = context.view(one.inputs[0]);
    const View out = context.view(one.output);
    product.run(context, in.data, out.data, temporary(context));
    activate(context, one, 0, out.c);
    finish(context, one);
  }

  const Operation& one;
  const VectorProduct product;
};

}  // namespace

NewStep make_dense(const Making&, const Operation& one) {
  return std::make_unique<DenseStep>(one);
}

}  // namespace rigl::plan
