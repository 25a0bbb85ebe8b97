// The operations that tf_rigl/backend/native_ops.py documents: each checks
// shapes, allocates outputs and calls its function of rigl.h.

#include "rigl.h"
#include "call.h"
#include "plan.h"
#include "shapes.h"

namespace rigl {
namespace {

void spmm(void*, TF_OpKernelContext* context) {
  run(context, "RiglSpmm", [&] {
    Call call(context, 8);
    const auto* x = call.data<float>(0, "x", {-1, -1});
    const int64_t batch = call.dim(0, 0);
    const auto* bias = call.data<float>(7, "bias", {-1});
    const RiglIndex index = call.index(2, call.dim(0, 1), call.dim(7, 0));
    const auto* values = call.data<float>(1, "values", {index.connections});
    auto* y = call.output<float>(0, {batch, index.outputs});
    Call::check_error(rigl_spmm(&index, values, bias, x, batch, y));
  });
}

// The state of a kernel of RiglSpmmGrad: whether dx is wanted.
void* create_spmm_grad(TF_OpKernelConstruction* construction) {
  const Status status(TF_NewStatus());
  unsigned char wanted = 1;
  TF_OpKernelConstruction_GetAttrBool(construction, "input_gradient", &wanted,
                                      status.get());
  if (TF_GetCode(status.get()) != TF_OK) {
    TF_OpKernelConstruction_Failure(construction, status.get());
  }
  return new bool(wanted != 0);
}

void delete_spmm_grad(void* state) { delete static_cast<bool*>(state); }

void spmm_grad(void* state, TF_OpKernelContext* context) {
  run(context, "RiglSpmmGrad", [&] {
    Call call(context, 8);
    const auto* x = call.data<float>(1, "x", {-1, -1});
    const int64_t batch = call.dim(1, 0);
    const RiglIndex index = call.index(3, call.dim(1, 1));
    const auto* dy = call.data<float>(0, "dy", {batch, index.outputs});
    const auto* values = call.data<float>(2, "values", {index.connections});
    const bool wanted = *static_cast<bool*>(state);
    auto* dx = call.output<float>(0, {wanted ? batch : 0, index.inputs});
    auto* dvalues = call.output<float>(1, {index.connections});
    auto* dbias = call.output<float>(2, {index.outputs});
    Call::check_error(rigl_spmm_grad(&index, values, x, dy, batch,
                                     wanted ? dx : nullptr, dvalues, dbias));
  });
}

void grow(void*, TF_OpKernelContext* context) {
  run(context, "RiglGrow", [&] {
    Call call(context, 8);
    const auto* x = call.data<float>(0, "x", {-1, -1});
    const int64_t batch = call.dim(0, 0);
    const RiglIndex index = call.index(2, call.dim(0, 1));
    const auto* dy = call.data<float>(1, "dy", {batch, index.outputs});
    call.data<int32_t>(7, "like", {-1});
    const int64_t count = call.dim(7, 0);
    auto* positions = call.output<int64_t>(0, {count});
    auto* scores = call.output<float>(1, {count});
    Call::check_error(
        rigl_grow(&index, x, dy, batch, count, positions, scores));
  });
}

int64_t input_size(const RiglConvolution& c) {
  return int64_t(c.height) * c.width * c.channels;
}

int64_t output_rows(const RiglConvolution& c, int64_t batch) {
  return batch * c.out_height * c.out_width;
}

void convolve(void*, TF_OpKernelContext* context) {
  run(context, "RiglConvolve", [&] {
    Call call(context, 9);
    const RiglConvolution* shape = call.convolution(8);
    const auto* x = call.data<float>(0, "x", {-1, input_size(*shape)});
    const int64_t batch = call.dim(0, 0);
    const auto* bias = call.data<float>(7, "bias", {-1});
    const RiglIndex index = call.index(2, -1, call.dim(7, 0));
    const auto* values = call.data<float>(1, "values", {index.connections});
    auto* y =
        call.output<float>(0, {output_rows(*shape, batch), index.outputs});
    Call::check_error(
        rigl_convolve(&index, shape, values, bias, x, batch, y));
  });
}

void convolve_grad(void* state, TF_OpKernelContext* context) {
  run(context, "RiglConvolveGrad", [&] {
    Call call(context, 9);
    const RiglConvolution* shape = call.convolution(8);
    const int64_t size = input_size(*shape);
    const auto* x = call.data<float>(1, "x", {-1, size});
    const int64_t batch = call.dim(1, 0);
    const RiglIndex index = call.index(3);
    const auto* dy = call.data<float>(
        0, "dy", {output_rows(*shape, batch), index.outputs});
    const auto* values = call.data<float>(2, "values", {index.connections});
    const bool wanted = *static_cast<bool*>(state);
    auto* dx = call.output<float>(0, {wanted ? batch : 0, size});
    auto* dvalues = call.output<float>(1, {index.connections});
    auto* dbias = call.output<float>(2, {index.outputs});
    Call::check_error(rigl_convolve_grad(&index, shape, values, x, dy, batch,
                                         wanted ? dx : nullptr, dvalues,
                                         dbias));
  });
}

void convolve_grow(void*, TF_OpKernelContext* context) {
  run(context, "RiglConvolveGrow", [&] {
    Call call(context, 9);
    const RiglConvolution* shape = call.convolution(8);
    const auto* x = call.data<float>(0, "x", {-1, input_size(*shape)});
    const int64_t batch = call.dim(0, 0);
    const RiglIndex index = call.index(2);
    const auto* dy = call.data<float>(
        1, "dy", {output_rows(*shape, batch), index.outputs});
    call.data<int32_t>(7, "like", {-1});
    const int64_t count = call.dim(7, 0);
    auto* positions = call.output<int64_t>(0, {count});
    auto* scores = call.output<float>(1, {count});
    Call::check_error(rigl_convolve_grow(&index, shape, x, dy, batch, count,
                                         positions, scores));
  });
}

void reindex(void*, TF_OpKernelContext* context) {
  run(context, "RiglReindex", [&] {
    Call call(context, 6);
    const auto* positions = call.data<int64_t>(0, "positions", {-1});
    const int64_t connections = call.dim(0, 0);
    const RiglNewIndex index = call.new_index(0, call.index(1), connections);
    auto* order = call.output<int32_t>(5, {connections});
    Call::check_error(rigl_reindex(positions, &index, order));
  });
}

void drop_and_grow(void*, TF_OpKernelContext* context) {
  run(context, "RiglDropAndGrow", [&] {
    Call call(context, 10);
    const RiglIndex index = call.index(2);
    const auto* values = call.data<float>(0, "values", {index.connections});
    const auto* dvalues = call.data<float>(1, "dvalues", {index.connections});
    const auto* candidates = call.data<int64_t>(7, "candidates", {-1});
    const int64_t count = call.dim(7, 0);
    const auto* scores = call.data<float>(8, "scores", {count});
    const auto* drop = call.data<int64_t>(9, "count", {});
    const RiglNewIndex new_index = call.new_index(0, index, index.connections);
    auto* order = call.output<int32_t>(5, {index.connections});
    Call::check_error(rigl_drop_and_grow(&index, values, dvalues, candidates,
                                         scores, count, *drop, &new_index,
                                         order));
  });
}

void bring_along(void*, TF_OpKernelContext* context) {
  run(context, "RiglBringAlong", [&] {
    Call call(context, 3);
    const auto* tensor = call.data<float>(0, "tensor", {-1});
    const auto* order = call.data<int32_t>(1, "order", {-1});
    const float fresh = *call.data<float>(2, "fresh", {});
    const int64_t size = call.dim(0, 0), count = call.dim(1, 0);
    auto* brought = call.output<float>(0, {count});
    bool inside = true;
    for (int64_t i = 0; i < count; i++) {
      const int32_t from = order[i];
      inside &= from < size;
      brought[i] = from < 0 || from >= size ? fresh : tensor[from];
    }
    require(inside, "order", "be below the size of the tensor");
  });
}

void positions(void*, TF_OpKernelContext* context) {
  run(context, "RiglPositions", [&] {
    Call call(context, 5);
    const RiglIndex index = call.index(0);
    auto* list = call.output<int64_t>(0, {index.connections});
    Call::check_error(rigl_positions(&index, list));
  });
}

void check_index(void*, TF_OpKernelContext* context) {
  run(context, "RiglCheckIndex", [&] {
    Call call(context, 5);
    const RiglIndex index = call.index(0);
    Call::check_error(rigl_check_index(&index));
    *call.output<bool>(0, {}) = true;
  });
}

// ---- Registration.

struct Operation {
  const char* name;
  std::vector<const char*> attributes;
  std::vector<const char*> inputs;
  std::vector<const char*> outputs;
  void (*shapes)(TF_ShapeInferenceContext*, TF_Status*);
  void (*compute)(void*, TF_OpKernelContext*);
  void* (*create)(TF_OpKernelConstruction*) = nullptr;
  void (*destroy)(void*) = nullptr;
};

std::vector<Operation> operations() {
  const std::vector<const char*> types = {"Column: {uint16, int32}",
                                          "TColumn: {uint16, int32}"};
  auto types_and_wish = types;
  types_and_wish.push_back("input_gradient: bool = true");
  const std::vector<const char*> index = {"row_ptr: int32", "cols: Column",
                                          "t_ptr: int32", "t_cols: TColumn",
                                          "t_perm: int32"};
  const auto joined = [&](std::vector<const char*> before,
                          std::vector<const char*> after) {
    before.insert(before.end(), index.begin(), index.end());
    before.insert(before.end(), after.begin(), after.end());
    return before;
  };

  return {
      {"RiglSpmm", types_and_wish,
       joined({"x: float", "values: float"}, {"bias: float"}), {"y: float"},
       shapes_of_spmm, spmm},
      {"RiglSpmmGrad", types_and_wish,
       joined({"dy: float", "x: float", "values: float"}, {}),
       {"dx: float", "dvalues: float", "dbias: float"}, shapes_of_spmm_grad,
       spmm_grad, create_spmm_grad, delete_spmm_grad},
      {"RiglGrow", types, joined({"x: float", "dy: float"}, {"like: int32"}),
       {"positions: int64", "scores: float"}, shapes_of_grow, grow},
      {"RiglConvolve", types_and_wish,
       joined({"x: float", "values: float"}, {"bias: float", "sizes: int32"}),
       {"y: float"}, shapes_of_convolve, convolve},
      {"RiglConvolveGrad", types_and_wish,
       joined({"dy: float", "x: float", "values: float"}, {"sizes: int32"}),
       {"dx: float", "dvalues: float", "dbias: float"}, shapes_of_spmm_grad,
       convolve_grad, create_spmm_grad, delete_spmm_grad},
      {"RiglConvolveGrow", types,
       joined({"x: float", "dy: float"}, {"like: int32", "sizes: int32"}),
       {"positions: int64", "scores: float"}, shapes_of_grow, convolve_grow},
      {"RiglReindex", types, joined({"positions: int64"}, {}),
       {"new_row_ptr: int32", "new_cols: Column", "new_t_ptr: int32",
        "new_t_cols: TColumn", "new_t_perm: int32", "order: int32"},
       shapes_of_reindex, reindex},
      {"RiglDropAndGrow", types,
       joined({"values: float", "dvalues: float"},
              {"candidates: int64", "scores: float", "count: int64"}),
       {"new_row_ptr: int32", "new_cols: Column", "new_t_ptr: int32",
        "new_t_cols: TColumn", "new_t_perm: int32", "order: int32"},
       shapes_of_drop_and_grow, drop_and_grow},
      {"RiglBringAlong", {}, {"tensor: float", "order: int32", "fresh: float"},
       {"brought: float"}, shapes_of_bring_along, bring_along},
      {"RiglPositions", types, joined({}, {}),
       {"positions: int64"}, shapes_of_positions, positions},
      {"RiglCheckIndex", types, joined({}, {}), {"whole: bool"},
       shapes_of_check_index, check_index},
      {"RiglPlan", {"N: int >= 1", "M: int >= 1"},
       {"inputs: N * float", "plan: uint8"}, {"outputs: M * float"},
       shapes_of_plan, run_plan, create_plan, delete_plan},
  };
}

void register_operation(const Operation& operation) {
  const Status status(TF_NewStatus());
  auto* definition = TF_NewOpDefinitionBuilder(operation.name);
  for (const char* one : operation.attributes) {
    TF_OpDefinitionBuilderAddAttr(definition, one);
  }
  for (const char* one : operation.inputs) {
    TF_OpDefinitionBuilderAddInput(definition, one);
  }
  for (const char* one : operation.outputs) {
    TF_OpDefinitionBuilderAddOutput(definition, one);
  }
  TF_OpDefinitionBuilderSetShapeInferenceFunction(definition, operation.shapes);
  TF_RegisterOpDefinition(definition, status.get());
  check(status);

  auto* kernel = TF_NewKernelBuilder(operation.name, "CPU", operation.create,
                                     operation.compute, operation.destroy);
  TF_RegisterKernelBuilder(operation.name, kernel, status.get());
  check(status);
}

// TensorFlow notes what is registered while it loads this file. An exception
// here ends the process with its message: the two do not fit together.
__attribute__((constructor)) void register_operations() {
  for (const Operation& one : operations()) register_operation(one);
}

}  // namespace
}  // namespace rigl
