// Reads recurrent layers from files of plans.
#ifndef TF_RIGL_NATIVE_PLAN_RECURRENCE_READER_H_
#define TF_RIGL_NATIVE_PLAN_RECURRENCE_READER_H_

#include "words.h"

namespace rigl::plan {

void read_recurrence(Words& words, Operation& one);

// Whether the inputs and the output have the shapes of a recurrent layer.
bool has_right_recurrence(const Program& program, const Operation& one);

}  // namespace rigl::plan

#endif  // TF_RIGL_NATIVE_PLAN_RECURRENCE_READER_H_
