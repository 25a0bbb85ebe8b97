#include "plan.h"

#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "rigl_plan.h"
#include "call.h"

namespace rigl {
namespace {

struct Close {
  void operator()(RiglPlan* plan) const { rigl_plan_close(plan); }
};

// A plan and the tensor that it was opened from. While the tensor is held, no
// other one has its address.
class OpenedPlan {
 public:
  explicit OpenedPlan(Tensor tensor) : tensor_(std::move(tensor)) {
    RiglPlan* plan = nullptr;
    Call::check_error(rigl_plan_open_memory(data(), bytes(), &plan));
    plan_.reset(plan);
  }

  RiglPlan* get() const { return plan_.get(); }

  bool is_of(const TF_Tensor* tensor) const {
    if (size_t(TF_Dim(tensor, 0)) != bytes()) return false;
    const void* other = TF_TensorData(tensor);
    // On a machine with a GPU, the constant may be copied for every call.
    return other == data() || std::memcmp(other, data(), bytes()) == 0;
  }

 private:
  const void* data() const { return TF_TensorData(tensor_.get()); }
  size_t bytes() const { return size_t(TF_Dim(tensor_.get(), 0)); }

  Tensor tensor_;
  std::unique_ptr<RiglPlan, Close> plan_;
};

using SharedPlan = std::shared_ptr<const OpenedPlan>;

// Plans that kernels hold. Several functions of a SavedModel share one.
class OpenedPlans {
 public:
  SharedPlan find_or_open(Tensor tensor) {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<std::weak_ptr<const OpenedPlan>> kept;
    SharedPlan found;
    for (auto& one : plans_) {
      SharedPlan plan = one.lock();
      if (!plan) continue;
      kept.push_back(one);
      if (plan->is_of(tensor.get())) found = plan;
    }
    plans_ = std::move(kept);
    if (!found) {
      found = std::make_shared<const OpenedPlan>(std::move(tensor));
      plans_.push_back(found);
    }
    return found;
  }

 private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<const OpenedPlan>> plans_;
};

OpenedPlans& opened_plans() {
  // Never destroyed: kernels may be, after it would have been.
  static OpenedPlans* const plans = new OpenedPlans;
  return *plans;
}

// The state of a kernel, which several threads may run.
class PlanKernel {
 public:
  SharedPlan plan(Tensor tensor) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!plan_ || !plan_->is_of(tensor.get())) {
      plan_ = opened_plans().find_or_open(std::move(tensor));
    }
    return plan_;
  }

 private:
  std::mutex mutex_;
  SharedPlan plan_;
};

std::vector<int64_t> shape_of(
    RiglPlan* plan, int number, int64_t batch,
    int32_t (*read)(const RiglPlan*, int32_t, int32_t[RIGL_PLAN_DIMENSIONS])) {
  int32_t sizes[RIGL_PLAN_DIMENSIONS];
  const int32_t rank = read(plan, number, sizes);
  std::vector<int64_t> shape = {batch};
  shape.insert(shape.end(), sizes, sizes + rank);
  return shape;
}

std::string written(const std::vector<int64_t>& shape) {
  std::string text = "[batch";
  for (size_t i = 1; i < shape.size(); i++) {
    text += ", " + std::to_string(shape[i]);
  }
  return text + "]";
}

// Checks the inputs and returns their batch.
int64_t check_inputs(RiglPlan* plan, const Call& call, int count) {
  int64_t batch = -1;
  for (int i = 0; i < count; i++) {
    const TF_Tensor* tensor = call.input(i);
    const auto expected = shape_of(plan, i, batch, rigl_plan_input_shape);
    bool fits = TF_NumDims(tensor) == int(expected.size());
    for (size_t j = 1; fits && j < expected.size(); j++) {
      fits = TF_Dim(tensor, int(j)) == expected[j];
    }
    require(fits, rigl_plan_input_name(plan, i),
            ("be of shape " + written(expected)).c_str());
    const int64_t size = TF_Dim(tensor, 0);
    require(batch < 0 || size == batch, rigl_plan_input_name(plan, i),
            "have the batch of the other inputs");
    batch = size;
  }
  return batch;
}

}  // namespace

void* create_plan(TF_OpKernelConstruction*) { return new PlanKernel; }

void delete_plan(void* state) { delete static_cast<PlanKernel*>(state); }

void run_plan(void* state, TF_OpKernelContext* context) {
  run(context, "RiglPlan", [&] {
    const int count = TF_NumInputs(context) - 1;
    const int outputs = TF_NumOutputs(context);
    Call call(context, count + 1);
    require(TF_NumDims(call.input(count)) == 1, "plan", "be a vector of bytes");
    const SharedPlan opened =
        static_cast<PlanKernel*>(state)->plan(call.take(count));
    RiglPlan* plan = opened->get();
    require(rigl_plan_inputs(plan) == count, "inputs", "be those of the plan");
    require(rigl_plan_outputs(plan) == outputs, "M",
            "be the number of outputs of the plan");

    const int64_t batch = check_inputs(plan, call, count);
    std::vector<const float*> given;
    for (int i = 0; i < count; i++) {
      given.push_back(static_cast<const float*>(TF_TensorData(call.input(i))));
    }
    std::vector<float*> made;
    for (int i = 0; i < outputs; i++) {
      made.push_back(call.output<float>(
          i, shape_of(plan, i, batch, rigl_plan_output_shape)));
    }
    if (batch > 0) {
      Call::check_error(
          rigl_plan_run(plan, given.data(), made.data(), batch, 0));
    }
  });
}

void shapes_of_plan(TF_ShapeInferenceContext* context, TF_Status* status) {
  TF_ShapeInferenceContextSetUnknownShape(context, status);
}

}  // namespace rigl
