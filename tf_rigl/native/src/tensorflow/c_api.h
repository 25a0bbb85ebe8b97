// What is used of TensorFlow's stable C API, declared as in its headers
// tensorflow/c/{kernels,ops,tf_datatype,tf_status,tf_tensor}.h, so that building
// needs no TensorFlow. TensorFlow has loaded these functions before it loads us.
#ifndef TF_RIGL_NATIVE_TENSORFLOW_C_API_H_
#define TF_RIGL_NATIVE_TENSORFLOW_C_API_H_

#include <cstddef>
#include <cstdint>

extern "C" {

typedef struct TF_KernelBuilder TF_KernelBuilder;
typedef struct TF_OpDefinitionBuilder TF_OpDefinitionBuilder;
typedef struct TF_OpKernelConstruction TF_OpKernelConstruction;
typedef struct TF_OpKernelContext TF_OpKernelContext;
typedef struct TF_ShapeHandle TF_ShapeHandle;
typedef struct TF_ShapeInferenceContext TF_ShapeInferenceContext;
typedef struct TSL_Status TF_Status;
typedef struct TF_Tensor TF_Tensor;

typedef enum TF_Code { TF_OK = 0, TF_INVALID_ARGUMENT = 3 } TF_Code;

typedef enum TF_DataType {
  TF_FLOAT = 1,
  TF_INT32 = 3,
  TF_INT64 = 9,
  TF_BOOL = 10,
  TF_UINT16 = 17
} TF_DataType;

TF_Status* TF_NewStatus();
void TF_DeleteStatus(TF_Status*);
void TF_SetStatus(TF_Status*, TF_Code, const char* message);
TF_Code TF_GetCode(const TF_Status*);
const char* TF_Message(const TF_Status*);

void TF_DeleteTensor(TF_Tensor*);
TF_DataType TF_TensorType(const TF_Tensor*);
int TF_NumDims(const TF_Tensor*);
int64_t TF_Dim(const TF_Tensor*, int dimension);
void* TF_TensorData(const TF_Tensor*);

TF_OpDefinitionBuilder* TF_NewOpDefinitionBuilder(const char* name);
void TF_RegisterOpDefinition(TF_OpDefinitionBuilder*, TF_Status*);
void TF_OpDefinitionBuilderAddAttr(TF_OpDefinitionBuilder*, const char*);
void TF_OpDefinitionBuilderAddInput(TF_OpDefinitionBuilder*, const char*);
void TF_OpDefinitionBuilderAddOutput(TF_OpDefinitionBuilder*, const char*);
void TF_OpDefinitionBuilderSetShapeInferenceFunction(
    TF_OpDefinitionBuilder*, void (*)(TF_ShapeInferenceContext*, TF_Status*));

TF_ShapeHandle* TF_NewShapeHandle();
void TF_DeleteShapeHandle(TF_ShapeHandle*);
TF_ShapeHandle* TF_ShapeInferenceContextScalar(TF_ShapeInferenceContext*);
void TF_ShapeInferenceContextGetInput(TF_ShapeInferenceContext*, int input,
                                      TF_ShapeHandle*, TF_Status*);
void TF_ShapeInferenceContextSetUnknownShape(TF_ShapeInferenceContext*,
                                             TF_Status*);
void TF_ShapeInferenceContextSetOutput(TF_ShapeInferenceContext*, int output,
                                       TF_ShapeHandle*, TF_Status*);
void TF_ShapeInferenceContextWithRank(TF_ShapeInferenceContext*,
                                      TF_ShapeHandle*, int64_t rank,
                                      TF_ShapeHandle* result, TF_Status*);
void TF_ShapeInferenceContextSubshape(TF_ShapeInferenceContext*,
                                      TF_ShapeHandle*, int64_t start,
                                      int64_t end, TF_ShapeHandle* result,
                                      TF_Status*);
void TF_ShapeInferenceContextConcatenateShapes(TF_ShapeInferenceContext*,
                                               TF_ShapeHandle*, TF_ShapeHandle*,
                                               TF_ShapeHandle* result,
                                               TF_Status*);
void TF_ShapeInferenceContextSetUnknownShape(TF_ShapeInferenceContext*,
                                             TF_Status*);

TF_KernelBuilder* TF_NewKernelBuilder(
    const char* op, const char* device, void* (*create)(TF_OpKernelConstruction*),
    void (*compute)(void*, TF_OpKernelContext*), void (*destroy)(void*));
void TF_RegisterKernelBuilder(const char* name, TF_KernelBuilder*, TF_Status*);

void TF_OpKernelConstruction_GetAttrBool(TF_OpKernelConstruction*,
                                         const char* name, unsigned char* value,
                                         TF_Status*);
void TF_OpKernelConstruction_Failure(TF_OpKernelConstruction*, TF_Status*);

int TF_NumInputs(TF_OpKernelContext*);
int TF_NumOutputs(TF_OpKernelContext*);
void TF_GetInput(TF_OpKernelContext*, int input, TF_Tensor**, TF_Status*);
TF_Tensor* TF_AllocateOutput(TF_OpKernelContext*, int output, TF_DataType,
                             const int64_t* shape, int rank, size_t bytes,
                             TF_Status*);
void TF_OpKernelContext_Failure(TF_OpKernelContext*, TF_Status*);

}  // extern "C"

#endif  // TF_RIGL_NATIVE_TENSORFLOW_C_API_H_
