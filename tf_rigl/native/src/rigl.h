// The library's whole interface: plain C, so that it can be called by ctypes, by
// TensorFlow operations and by drivers of sanitizers alike.
//
// A weight of `inputs` × `outputs` has `connections` non-zeros. Their values are
// ordered by (output, input); the same connections ordered by (input, output)
// are the transposed half of the index, with prefix t_. The flat position of a
// connection is input · outputs + output.
//
// Functions that can fail return nullptr, or a message of static lifetime.
// Every function checks that the index stays in bounds before it uses it.
#ifndef TF_RIGL_NATIVE_RIGL_H_
#define TF_RIGL_NATIVE_RIGL_H_

#include <cstdint>

#define RIGL_EXPORT extern "C" __attribute__((visibility("default")))

// Changes with every change of a declaration below, or in rigl_plan.h.
constexpr int32_t kRiglInterface = 2;

struct RiglIndex {
  int32_t inputs;
  int32_t outputs;
  int32_t connections;
  int32_t column_bytes;    // of an element of cols: 2 (uint16) or 4 (int32)
  int32_t t_column_bytes;  // likewise of t_cols
  const int32_t* row_ptr;  // [outputs + 1]: first connection of each output
  const void* cols;        // [connections]: input of each value
  const int32_t* t_ptr;    // [inputs + 1]: first connection of each input
  const void* t_cols;      // [connections]: outputs
  const int32_t* t_perm;   // [connections]: where the values of these are
};

// Arrays of the same sizes and types, to be written.
struct RiglNewIndex {
  int32_t inputs;
  int32_t outputs;
  int32_t connections;
  int32_t column_bytes;
  int32_t t_column_bytes;
  int32_t* row_ptr;
  void* cols;
  int32_t* t_ptr;
  void* t_cols;
  int32_t* t_perm;
};

// A convolution of inputs [batch, height, width, channels]. The weight's inputs
// are the window's rows, its columns and the channels, in this order; batch,
// rows and columns of the result are the batch of its outputs.
struct RiglConvolution {
  int32_t height;
  int32_t width;
  int32_t channels;
  int32_t window_height;
  int32_t window_width;
  int32_t out_height;
  int32_t out_width;
  int32_t row_stride;
  int32_t column_stride;
  int32_t row_dilation;
  int32_t column_dilation;
  int32_t top;   // rows of zeros before the first one
  int32_t left;  // columns of zeros
};

RIGL_EXPORT int32_t rigl_interface();

// Threads that one call may use; 0 for as many as the process may run on.
RIGL_EXPORT void rigl_set_threads(int32_t threads);
RIGL_EXPORT int32_t rigl_threads();

// Levels of vector instructions, from 0, which every machine has. A call
// returns the level that is used from now on: the highest that is allowed here.
RIGL_EXPORT int32_t rigl_cap_level(int32_t highest);
RIGL_EXPORT const char* rigl_level_name();

// Checks everything: bounds, order, and that both halves say the same.
RIGL_EXPORT const char* rigl_check_index(const RiglIndex* index);

// y [batch, outputs] = x [batch, inputs] · weight + bias [outputs]. Reads only
// row_ptr and cols.
RIGL_EXPORT const char* rigl_spmm(const RiglIndex* index, const float* values,
                                  const float* bias, const float* x,
                                  int64_t batch, float* y);

// The gradients of x (unless dx is nullptr), of values and of the bias.
RIGL_EXPORT const char* rigl_spmm_grad(const RiglIndex* index,
                                       const float* values, const float* x,
                                       const float* dy, int64_t batch,
                                       float* dx, float* dvalues, float* dbias);

// The same by a convolution, of x [batch, height, width, channels] and y
// [batch, out_height, out_width, outputs].
RIGL_EXPORT const char* rigl_convolve(const RiglIndex* index,
                                      const RiglConvolution* convolution,
                                      const float* values, const float* bias,
                                      const float* x, int64_t batch, float* y);
RIGL_EXPORT const char* rigl_convolve_grad(
    const RiglIndex* index, const RiglConvolution* convolution,
    const float* values, const float* x, const float* dy, int64_t batch,
    float* dx, float* dvalues, float* dbias);

// The `count` inactive positions of largest |xᵀ · dy|, in ascending order, with
// these magnitudes. Ties go to the lowest position; NaN counts as larger than
// infinity. Where there are fewer, both are -1 in the rest. Reads t_ptr and
// t_cols. inputs · outputs must be below 2^32.
RIGL_EXPORT const char* rigl_grow(const RiglIndex* index, const float* x,
                                  const float* dy, int64_t batch, int64_t count,
                                  int64_t* positions, float* scores);

// The same for the gradient of a convolution.
RIGL_EXPORT const char* rigl_convolve_grow(
    const RiglIndex* index, const RiglConvolution* convolution, const float* x,
    const float* dy, int64_t batch, int64_t count, int64_t* positions,
    float* scores);

// Builds the index of `index->connections` distinct positions in any order;
// order [connections] says which of them each value belongs to.
RIGL_EXPORT const char* rigl_reindex(const int64_t* positions,
                                     const RiglNewIndex* index, int32_t* order);

// Lists the positions of an index in ascending order, as t_perm does values.
// Reads t_ptr and t_cols.
RIGL_EXPORT const char* rigl_positions(const RiglIndex* index,
                                       int64_t* positions);

// One update of the connections: keeps all but the `drop` smallest |values|, and
// takes in their place the best of the dropped ones, scored by |dvalues|, and
// of `candidates`, scored by `scores` (-1 is none). order [connections] says
// which old value each new one is, or -1 for a new connection. If a gradient or
// score is not finite nothing changes.
RIGL_EXPORT const char* rigl_drop_and_grow(
    const RiglIndex* index, const float* values, const float* dvalues,
    const int64_t* candidates, const float* scores, int64_t candidate_count,
    int64_t drop, const RiglNewIndex* new_index, int32_t* order);

#endif  // TF_RIGL_NATIVE_RIGL_H_
