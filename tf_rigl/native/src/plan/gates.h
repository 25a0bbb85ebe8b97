// The gates of recurrent cells, with everything of a step in one pass.
#ifndef TF_RIGL_NATIVE_PLAN_GATES_H_
#define TF_RIGL_NATIVE_PLAN_GATES_H_

#include "pointwise.h"
#include "recurrence.h"

namespace {

using rigl::plan::Cell;
using rigl::plan::CellStep;
using rigl::plan::GateFunction;

// Not inlined: a cell may have any two of the functions.
__attribute__((noinline)) Floats any_function(const GateFunction& one,
                                              Floats x) {
  x = x * one.scale + one.offset;
  with_activation(one.activation, [&](auto kind) {
    x = activated<decltype(kind)::value>(x, one.slope);
  });
  return x * one.factor;
}

// Sigmoid and tanh, as nearly all cells have.
struct UsualFunctions {
  explicit UsualFunctions(const CellStep&) {}
  RIGL_INLINE Floats gate(Floats x) const { return sigmoid(x); }
  RIGL_INLINE Floats candidate(Floats x) const { return hyperbolic_tangent(x); }
};

struct AnyFunctions {
  explicit AnyFunctions(const CellStep& step)
      : of_gate(step.recurrence.gate),
        of_candidate(step.recurrence.candidate) {}
  RIGL_INLINE Floats gate(Floats x) const { return any_function(of_gate, x); }
  RIGL_INLINE Floats candidate(Floats x) const {
    return any_function(of_candidate, x);
  }

  const GateFunction& of_gate;
  const GateFunction& of_candidate;
};

// The sum of both products for one gate.
RIGL_INLINE Floats sum_of_gate(const CellStep& step, int gate, int64_t i) {
  const int64_t at = gate * step.count + i;
  return load<kLanes>(step.read + at) + load<kLanes>(step.recurrent + at);
}

template <class Functions>
RIGL_INLINE void simple_step(const Functions& functions, const CellStep& step,
                             int64_t i) {
  store<kLanes>(step.hidden + i,
                functions.candidate(sum_of_gate(step, 0, i)));
}

// z · h + (1 − z) · candidate
RIGL_INLINE void update(const CellStep& step, Floats z, Floats candidate,
                        int64_t i) {
  const Floats before = load<kLanes>(step.hidden + i);
  store<kLanes>(step.hidden + i, candidate + z * (before - candidate));
}

template <class Functions>
RIGL_INLINE void gru_step(const Functions& functions, const CellStep& step,
                          int64_t i) {
  const int64_t third = 2 * step.count + i;
  const Floats z = functions.gate(sum_of_gate(step, 0, i));
  const Floats r = functions.gate(sum_of_gate(step, 1, i));
  update(step, z,
         functions.candidate(load<kLanes>(step.read + third) +
                             r * load<kLanes>(step.recurrent + third)),
         i);
}

template <class Functions>
RIGL_INLINE void reset_first_step(const Functions& functions,
                                  const CellStep& step, int64_t i) {
  update(step, load<kLanes>(step.update + i),
         functions.candidate(sum_of_gate(step, 2, i)), i);
}

template <class Functions>
RIGL_INLINE void lstm_step(const Functions& functions, const CellStep& step,
                           int64_t i) {
  const Floats in = functions.gate(sum_of_gate(step, 0, i));
  const Floats forget = functions.gate(sum_of_gate(step, 1, i));
  const Floats candidate = functions.candidate(sum_of_gate(step, 2, i));
  const Floats out = functions.gate(sum_of_gate(step, 3, i));
  const Floats memory =
      forget * load<kLanes>(step.memory + i) + in * candidate;
  store<kLanes>(step.memory + i, memory);
  store<kLanes>(step.hidden + i, out * functions.candidate(memory));
}

template <class Functions>
void cell_step_of(const CellStep& step, int64_t begin, int64_t end) {
  const Functions functions(step);
  switch (step.recurrence.cell) {
#define RIGL_CELL(name, function)                          \
  case Cell::name:                                         \
    for (int64_t i = begin; i < end; i += kLanes) {        \
      function(functions, step, i);                        \
    }                                                      \
    return;
    RIGL_CELL(kSimple, simple_step)
    RIGL_CELL(kGru, gru_step)
    RIGL_CELL(kGruResetFirst, reset_first_step)
    RIGL_CELL(kLstm, lstm_step)
#undef RIGL_CELL
    default:
      return;
  }
}

template <class Functions>
void reset_of(const CellStep& step, int64_t begin, int64_t end) {
  const Functions functions(step);
  for (int64_t i = begin; i < end; i += kLanes) {
    const Floats z = functions.gate(sum_of_gate(step, 0, i));
    const Floats r = functions.gate(sum_of_gate(step, 1, i));
    store<kLanes>(step.update + i, z);
    store<kLanes>(step.reset + i, r * load<kLanes>(step.hidden + i));
  }
}

bool is_usual(const CellStep& step) {
  return step.recurrence.gate.is_bare(Activation::kSigmoid) &&
         step.recurrence.candidate.is_bare(Activation::kTanh);
}

// All but the last range are of whole vectors of any level; after the last one
// up to 15 floats are overwritten.
void cell_step(const CellStep& step, int64_t begin, int64_t end) {
  if (is_usual(step)) return cell_step_of<UsualFunctions>(step, begin, end);
  cell_step_of<AnyFunctions>(step, begin, end);
}

void reset(const CellStep& step, int64_t begin, int64_t end) {
  if (is_usual(step)) return reset_of<UsualFunctions>(step, begin, end);
  reset_of<AnyFunctions>(step, begin, end);
}

}  // namespace

#endif  // TF_RIGL_NATIVE_PLAN_GATES_H_
