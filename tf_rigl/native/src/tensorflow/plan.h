// The operation of TensorFlow that runs a whole plan.
#ifndef TF_RIGL_NATIVE_TENSORFLOW_PLAN_H_
#define TF_RIGL_NATIVE_TENSORFLOW_PLAN_H_

#include "c_api.h"

namespace rigl {

void* create_plan(TF_OpKernelConstruction* construction);
void run_plan(void* state, TF_OpKernelContext* context);
void delete_plan(void* state);

// Gives all outputs unknown shapes: a plan is known when it runs.
void shapes_of_plan(TF_ShapeInferenceContext* context, TF_Status* status);

}  // namespace rigl

#endif  // TF_RIGL_NATIVE_TENSORFLOW_PLAN_H_
