// Shapes of the outputs of each operation, from those of its inputs.
#ifndef TF_RIGL_NATIVE_TENSORFLOW_SHAPES_H_
#define TF_RIGL_NATIVE_TENSORFLOW_SHAPES_H_

#include "c_api.h"

namespace rigl {

void shapes_of_spmm(TF_ShapeInferenceContext*, TF_Status*);
void shapes_of_convolve(TF_ShapeInferenceContext*, TF_Status*);
void shapes_of_spmm_grad(TF_ShapeInferenceContext*, TF_Status*);
void shapes_of_grow(TF_ShapeInferenceContext*, TF_Status*);
void shapes_of_reindex(TF_ShapeInferenceContext*, TF_Status*);
void shapes_of_drop_and_grow(TF_ShapeInferenceContext*, TF_Status*);
void shapes_of_bring_along(TF_ShapeInferenceContext*, TF_Status*);
void shapes_of_positions(TF_ShapeInferenceContext*, TF_Status*);
void shapes_of_check_index(TF_ShapeInferenceContext*, TF_Status*);

}  // namespace rigl

#endif  // TF_RIGL_NATIVE_TENSORFLOW_SHAPES_H_
