// Recurrent layers: a cell that reads a sequence step by step.
//
// Products with the inputs are a dense operation of their own, over all steps
// at once; here is what has to wait for the step before.
#ifndef TF_RIGL_NATIVE_PLAN_RECURRENCE_H_
#define TF_RIGL_NATIVE_PLAN_RECURRENCE_H_

#include <cstdint>

#include "activations.h"

namespace rigl::plan {

// The gates of a cell lie one after the other, in Keras's order.
enum class Cell : int32_t {
  kSimple,         // h = f(x + U·h)
  kGru,            // z, r, candidate f(x + r ∘ (U·h))
  kGruResetFirst,  // z, r, candidate f(x + U·(r ∘ h))
  kLstm,           // i, f, candidate, o
  kCount,
};

// In which order steps are computed, and in which their outputs lie.
enum class Direction : int32_t {
  kForward,
  kBackward,         // the last step first, in both
  kBackwardAligned,  // outputs at the places of their inputs
  kCount,
};

enum class Returns : int32_t {
  kSequence,
  kLast,
  kStates,  // the last output, and the memory of an LSTM after it
  kCount,
};

// factor · activation(scale · x + offset)
struct GateFunction {
  Activation activation = Activation::kLinear;
  float slope = 0;
  float scale = 1;
  float offset = 0;
  float factor = 1;

  bool is_bare(Activation other) const {
    return activation == other && scale == 1 && offset == 0 && factor == 1;
  }
};

// Its weight has a row for each gate of each unit, and a place for each unit.
struct Recurrence {
  Cell cell = Cell::kSimple;
  Direction direction = Direction::kForward;
  Returns returns = Returns::kSequence;
  GateFunction gate, candidate;

  int gates() const {
    return cell == Cell::kSimple ? 1 : cell == Cell::kLstm ? 4 : 3;
  }
  int states() const { return cell == Cell::kLstm ? 2 : 1; }
};

// One step of a cell, after its products. All arrays are of `count` floats for
// each gate: units, and of each unit a tile.
struct CellStep {
  const Recurrence& recurrence;
  int64_t count;
  const float* read;       // of the inputs
  const float* recurrent;  // of the state before
  float* hidden;           // the state, which is replaced
  float* memory;           // the other state of an LSTM
  // Of kGruResetFirst, from one half of a step to the other: z, and r ∘ hidden.
  float* update;
  float* reset;
};

}  // namespace rigl::plan

#endif  // TF_RIGL_NATIVE_PLAN_RECURRENCE_H_
