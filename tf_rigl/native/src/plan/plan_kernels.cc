// The kernels of plans of one level, RIGL_LEVEL: compiled once for each.

#include "plan_kernels.h"

#include "attend.h"
#include "dense_planes.h"
#include "dense_vector.h"
#include "depthwise.h"
#include "gates.h"
#include "lookup.h"
#include "norm.h"
#include "planes.h"
#include "pointwise.h"

namespace rigl::RIGL_LEVEL {

extern const plan::PlanKernels plan_kernels;
const plan::PlanKernels plan_kernels = {
    kLanes,    sparse_planes, dense_planes, depthwise, dense_vector,
    kLookup,   activate,      add,          multiply,  affine,
    softmax,   take,          take_rows,    take_max,  take_sum,
    sum_of,    max_of,        normalize,    attend,    multiply_planes,
    cell_step, reset,
};

}  // namespace rigl::RIGL_LEVEL
