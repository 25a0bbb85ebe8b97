#include "recurrence_reader.h"

namespace rigl::plan {
namespace {

constexpr int kMostUnits = 1 << 24;

GateFunction take_function(Words& words) {
  GateFunction one;
  // Softmax, the last activation, is of more than one element.
  one.activation = Activation(words.take(0, int(Activation::kSoftmax) - 1));
  one.slope = words.real();
  one.scale = words.real();
  one.offset = words.real();
  one.factor = words.real();
  return one;
}

bool is_vector_of(const Shape& shape, int64_t channels) {
  return shape.is_vector() && shape.c == channels;
}

}  // namespace

void read_recurrence(Words& words, Operation& one) {
  Recurrence& recurrence = one.recurrence;
  one.weight.places = words.take(1, kMostUnits);
  recurrence.cell = Cell(words.take(0, int(Cell::kCount) - 1));
  recurrence.direction = Direction(words.take(0, int(Direction::kCount) - 1));
  recurrence.returns = Returns(words.take(0, int(Returns::kCount) - 1));
  recurrence.gate = take_function(words);
  recurrence.candidate = take_function(words);
  one.weight.rows = recurrence.gates() * one.weight.places;
}

bool has_right_recurrence(const Program& program, const Operation& one) {
  const auto& shapes = program.shapes;
  const Recurrence& recurrence = one.recurrence;
  const Shape& from = shapes[one.inputs[0]];
  const Shape& to = shapes[one.output];
  const int64_t units = one.weight.places;

  bool right = from.h == 1 && from.c == one.weight.rows &&
               one.activation == Activation::kLinear;
  // Without states it begins with zeros.
  const size_t states = one.inputs.size() - 1;
  right &= states == 0 || states == size_t(recurrence.states());
  for (size_t i = 1; i < one.inputs.size(); i++) {
    right &= is_vector_of(shapes[one.inputs[i]], units);
  }
  switch (recurrence.returns) {
    case Returns::kSequence:
      return right && to.h == 1 && to.w == from.w && to.c == units;
    case Returns::kLast:
      return right && is_vector_of(to, units);
    default:
      return right && is_vector_of(to, recurrence.states() * units);
  }
}

}  // namespace rigl::plan
