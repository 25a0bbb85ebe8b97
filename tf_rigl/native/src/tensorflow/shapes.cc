#include "shapes.h"

#include "call.h"

namespace rigl {
namespace {

// Shapes of one node. After an error the rest does nothing.
class Shapes {
 public:
  Shapes(TF_ShapeInferenceContext* context, TF_Status* status)
      : context_(context), status_(status) {}

  Shape input(int number, int rank) const {
    Shape shape(TF_NewShapeHandle());
    if (ok()) {
      TF_ShapeInferenceContextGetInput(context_, number, shape.get(), status_);
    }
    if (ok()) {
      TF_ShapeInferenceContextWithRank(context_, shape.get(), rank, shape.get(),
                                       status_);
    }
    return shape;
  }

  // The dimensions [begin, end) of a shape.
  Shape part(const Shape& shape, int begin, int end) const {
    Shape result(TF_NewShapeHandle());
    if (ok()) {
      TF_ShapeInferenceContextSubshape(context_, shape.get(), begin, end,
                                       result.get(), status_);
    }
    return result;
  }

  Shape join(const Shape& first, const Shape& second) const {
    Shape result(TF_NewShapeHandle());
    if (ok()) {
      TF_ShapeInferenceContextConcatenateShapes(
          context_, first.get(), second.get(), result.get(), status_);
    }
    return result;
  }

  void set_output(int number, const Shape& shape) const {
    if (ok()) {
      TF_ShapeInferenceContextSetOutput(context_, number, shape.get(), status_);
    }
  }

  // Gives an output the shape of an input, a vector.
  void copy(int output, int number) const {
    set_output(output, input(number, 1));
  }

 private:
  bool ok() const { return TF_GetCode(status_) == TF_OK; }

  TF_ShapeInferenceContext* context_;
  TF_Status* status_;
};

}  // namespace

void shapes_of_spmm(TF_ShapeInferenceContext* context, TF_Status* status) {
  const Shapes shapes(context, status);
  const Shape batch = shapes.part(shapes.input(0, 2), 0, 1);
  shapes.set_output(0, shapes.join(batch, shapes.input(7, 1)));
}

void shapes_of_convolve(TF_ShapeInferenceContext* context, TF_Status* status) {
  // The sizes are values of an input.
  TF_ShapeInferenceContextSetUnknownShape(context, status);
}

void shapes_of_spmm_grad(TF_ShapeInferenceContext* context, TF_Status* status) {
  const Shapes shapes(context, status);
  // Without `input_gradient` dx is [0, K], and the attribute is out of reach
  // here: callers that leave it out do not use dx.
  shapes.set_output(0, shapes.input(1, 2));
  shapes.copy(1, 2);
  shapes.set_output(2, shapes.part(shapes.input(0, 2), 1, 2));
}

void shapes_of_grow(TF_ShapeInferenceContext* context, TF_Status* status) {
  const Shapes shapes(context, status);
  shapes.copy(0, 7);
  shapes.copy(1, 7);
}

void shapes_of_reindex(TF_ShapeInferenceContext* context, TF_Status* status) {
  const Shapes shapes(context, status);
  shapes.copy(0, 1);
  shapes.copy(1, 0);
  shapes.copy(2, 3);
  shapes.copy(3, 0);
  shapes.copy(4, 0);
  shapes.copy(5, 0);
}

void shapes_of_drop_and_grow(TF_ShapeInferenceContext* context,
                             TF_Status* status) {
  const Shapes shapes(context, status);
  for (int i = 0; i < 5; i++) shapes.copy(i, 2 + i);
  shapes.copy(5, 0);
}

void shapes_of_bring_along(TF_ShapeInferenceContext* context,
                           TF_Status* status) {
  const Shapes shapes(context, status);
  shapes.copy(0, 1);
}

void shapes_of_positions(TF_ShapeInferenceContext* context, TF_Status* status) {
  const Shapes shapes(context, status);
  shapes.copy(0, 1);
}

void shapes_of_check_index(TF_ShapeInferenceContext* context,
                           TF_Status* status) {
  const Shapes shapes(context, status);
  const Shape scalar(TF_ShapeInferenceContextScalar(context));
  shapes.set_output(0, scalar);
}

}  // namespace rigl
