// Runs networks from files: the interface of plans, in plain C.
//
//   RiglPlan* plan;
//   const char* error = rigl_plan_open("model.plan", &plan);
//   ...
//   error = rigl_plan_run(plan, inputs, outputs, batch, threads);
//   rigl_plan_close(plan);
//
// Several threads may run one plan at the same time. Functions that can fail
// return NULL, or a sentence that stays until the next call of the same thread.
#ifndef TF_RIGL_NATIVE_RIGL_PLAN_H_
#define TF_RIGL_NATIVE_RIGL_PLAN_H_

#include <stddef.h>
#include <stdint.h>

#if defined(__cplusplus)
extern "C" {
#endif

#define RIGL_PLAN_EXPORT __attribute__((visibility("default")))

// The largest number of dimensions of an input or output, without the batch.
#define RIGL_PLAN_DIMENSIONS 3

typedef struct RiglPlan RiglPlan;

// Maps a file into memory and checks all of it.
RIGL_PLAN_EXPORT const char* rigl_plan_open(const char* path, RiglPlan** plan);

// The same for bytes in memory, which are copied.
RIGL_PLAN_EXPORT const char* rigl_plan_open_memory(const void* data,
                                                   size_t bytes,
                                                   RiglPlan** plan);

// Frees a plan that no thread is running. NULL is allowed.
RIGL_PLAN_EXPORT void rigl_plan_close(RiglPlan* plan);

RIGL_PLAN_EXPORT int32_t rigl_plan_inputs(const RiglPlan* plan);
RIGL_PLAN_EXPORT int32_t rigl_plan_outputs(const RiglPlan* plan);

// Names, and shapes without the batch. Return NULL and 0 for a number that is
// out of range; else the name, and the number of dimensions written to `shape`.
RIGL_PLAN_EXPORT const char* rigl_plan_input_name(const RiglPlan* plan,
                                                  int32_t number);
RIGL_PLAN_EXPORT const char* rigl_plan_output_name(const RiglPlan* plan,
                                                   int32_t number);
RIGL_PLAN_EXPORT int32_t rigl_plan_input_shape(
    const RiglPlan* plan, int32_t number, int32_t shape[RIGL_PLAN_DIMENSIONS]);
RIGL_PLAN_EXPORT int32_t rigl_plan_output_shape(
    const RiglPlan* plan, int32_t number, int32_t shape[RIGL_PLAN_DIMENSIONS]);

// How many rows the table has of which an input is numbers, the smallest of
// several: 1 + the largest token id. 0 if it is no such input.
RIGL_PLAN_EXPORT int32_t rigl_plan_input_rows(const RiglPlan* plan,
                                              int32_t number);

// Bytes of the buffers of one run on one thread, for a batch of one.
RIGL_PLAN_EXPORT int64_t rigl_plan_buffer_bytes(const RiglPlan* plan);

// What the first run on one example has measured, or `rigl_plan_tune` has set:
// how kernels are laid out, a character each, and a 0 at the end. Returns how many
// characters there are; writes what fits into `bytes`. It is of this file and this
// kind of processor, and changes times alone.
RIGL_PLAN_EXPORT size_t rigl_plan_tuning(const RiglPlan* plan, char* tuning,
                                         size_t bytes);

// Has the first run take this tuning instead of measuring. Call it before.
RIGL_PLAN_EXPORT const char* rigl_plan_tune(RiglPlan* plan, const char* tuning);

// Computes each output [batch, shape...] from the inputs [batch, shape...], all
// float32, channels last and contiguous. Token ids are whole numbers in float32;
// any that is not one of a row of its embedding is an error. No result depends
// on the number of threads; 0 is for as many as the process may use.
RIGL_PLAN_EXPORT const char* rigl_plan_run(RiglPlan* plan,
                                           const float* const* inputs,
                                           float* const* outputs, int64_t batch,
                                           int32_t threads);

#if defined(__cplusplus)
}
#endif

#endif  // TF_RIGL_NATIVE_RIGL_PLAN_H_
