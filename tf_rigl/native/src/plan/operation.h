// What a file of a plan says of one operation.
#ifndef TF_RIGL_NATIVE_PLAN_OPERATION_H_
#define TF_RIGL_NATIVE_PLAN_OPERATION_H_

#include <vector>

#include "arrays.h"
#include "words.h"

namespace rigl::plan {

// Reads the attributes of an operation whose kind, inputs and output are known.
void read_attributes(Words& words, const Program& program, Operation& one);

// Reads the arrays of these numbers, after the attributes.
void read_arrays(const std::vector<int>& numbers, const Arrays& arrays,
                 Program& program, Operation& one);

}  // namespace rigl::plan

#endif  // TF_RIGL_NATIVE_PLAN_OPERATION_H_
