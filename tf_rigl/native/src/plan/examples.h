// Steps of the head that compute all examples of a tile at once.
//
// Of images there is enough to compute in one example. A recurrent layer has one
// vector at a time: the weight is read once for all examples, as in the tail.
#ifndef TF_RIGL_NATIVE_PLAN_EXAMPLES_H_
#define TF_RIGL_NATIVE_PLAN_EXAMPLES_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "steps.h"

namespace rigl::plan {

// The examples of a tile, each with memory of its own.
struct Examples {
  const PlanKernels& kernels;
  const std::vector<Place>& places;
  float* memory;
  int64_t stride;  // from one to the next, in floats
  int count;
  int tile;  // at least `count`
  bool split;
  float* shared;  // for the step, of all examples

  Context example(int number, bool may_split) const {
    return {kernels, places, memory + number * stride, 1, may_split};
  }

  // Calls function(context) for each, which must not depend on another.
  template <class Function>
  void for_each(const Function& function) const {
    const int tasks = split ? std::min(count, threads()) : 1;
    // Examples are tasks where there are enough; else steps are split.
    if (tasks == 1 || tasks < threads()) {
      for (int i = 0; i < count; i++) function(example(i, split));
      return;
    }
    parallel_for(tasks, [&](int task) {
      for (int i = task; i < count; i += tasks) function(example(i, false));
    });
  }
};

// A step that is run by `run_together`, and not by `run`.
struct TogetherStep : Step {
  const TogetherStep* as_together() const override { return this; }

  void run(const Context&) const override {}
  virtual void run_together(const Examples& examples) const = 0;

  int64_t shared_floats = 0;  // times the width of the tile
};

}  // namespace rigl::plan

#endif  // TF_RIGL_NATIVE_PLAN_EXAMPLES_H_
