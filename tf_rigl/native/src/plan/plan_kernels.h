// What plans need of each level of vector instructions, beside `kernels.h`.
//
// Images lie in planes: the rows of one channel after the other, `pitch` floats
// apart, with zeros between them where a convolution reads beyond the edge. All
// positions of a plane are then one run of floats, of which each connection of
// a kernel adds a multiple at a fixed offset.
#ifndef TF_RIGL_NATIVE_PLAN_KERNELS_H_
#define TF_RIGL_NATIVE_PLAN_KERNELS_H_

#include <cstddef>
#include <cstdint>

#include "activations.h"
#include "recurrence.h"

namespace rigl::plan {

// The kernels write whole vectors: up to 15 floats after the end of a run.
constexpr int kWidestVector = 16;

// Outputs of a dense kernel that lie side by side.
constexpr int kDenseRows = 8;

// Rows of a dense weight that are multiplied together with one vector.
constexpr int kVectorRows = 4;

// Planes that are read and written; `row` counts output channels.
struct Planes {
  const float* in;
  float* out;             // [rows][out_stride]
  int64_t out_stride;
  const float* residual;  // added before the activation; may be nullptr, or `out`
  int64_t residual_stride;
  int64_t positions;  // length of the run
  const float* bias;  // [rows]; may be nullptr
  Activation activation;
  float slope;
};

// One non-zero of a kernel: how far from the position it reads, in floats.
struct Connection {
  int32_t offset;
  float value;
};

// Rows of a sparse kernel, block by block of the channels that they read: what
// is read by all rows of a block stays in the first cache.
//
// In a block, rows with equally many connections follow each other, so that the
// ends of their loops are predicted: these would take a third of the time.
struct SparseRows {
  int begin, end;        // places in the order of a block
  int rows;              // of the whole kernel
  int blocks;
  const int32_t* order;  // [blocks][rows]
  const int32_t* ptr;    // [blocks][rows + 1], by places in the order
  const Connection* connections;
};

struct DenseRows {
  int begin, end;          // begin is a multiple of kDenseRows
  int places;
  const int32_t* offsets;  // [places]
  const float* values;     // [rows / kDenseRows][places][kDenseRows]
  // Whether all positions of a block of kDenseRows come before the next block:
  // values are then read once, the input for each block.
  bool by_block;
};

// Tables of a layer for a batch of one: see lookup.h.
struct Lookup {
  int chunks;
  const uint8_t* counts;   // [groups][chunks], of steps
  const int64_t* starts;   // [groups], first step
  const int64_t* firsts;   // [groups], first value
  const uint16_t* lanes;   // [steps], a bit for each output with a value;
                           // nullptr if each has one, which may be 0
  const uint8_t* places;   // [steps][16]
  const float* values;     // of these outputs, step by step
};

// A depthwise convolution; of stride 1, of 3 × 3 or 5 × 5.
struct Depthwise {
  const float* in;  // what the first window reads, with zeros around the input
  int64_t in_stride;
  int64_t pitch;
  int multiplier;        // outputs of each channel
  int stride;            // 1 or 2
  int height, width;     // of the window
  const float* weights;  // [outputs][height][width]
  const float* bias;     // [outputs]; may be nullptr
  float* out;
  int64_t out_stride;
  int64_t out_pitch;
  int rows, columns;
  Activation activation;
  float slope;
};

// Positions that are normalized over channels: see norm.h.
struct Norm {
  const float* in;  // [channels][in_stride]
  int64_t in_stride;
  float* out;
  int64_t out_stride;
  int channels;
  const float* scale;   // [channels]; may be nullptr
  const float* offset;  // [channels]; may be nullptr
  float epsilon;
  bool is_centered;
};

// out[r][column] = Σ a[r, d] · b[d][column], where columns lie side by side.
struct PlaneProduct {
  const float* a;
  int64_t a_row, a_depth;
  const float* b;
  int64_t b_depth;
  float* out;
  int64_t out_row;
  int rows, depth;
};

// One head of attention; positions of a channel lie side by side.
struct Attend {
  const float* query;
  int64_t query_stride;  // between channels
  const float* key;
  int64_t key_stride;
  const float* value;
  int64_t value_stride;
  float* out;
  int64_t out_stride;
  int queries, keys;  // positions
  int key_channels, value_channels;
  float scale;
  bool is_causal;
  float* scores;  // memory for [keys][2 · kWidestVector]
};

struct PlanKernels {
  int lanes;

  void (*sparse_planes)(const SparseRows&, const Planes&, int vectors);
  void (*dense_planes)(const DenseRows&, const Planes&);
  // Outputs [begin, end).
  void (*depthwise)(const Depthwise&, int begin, int end);

  // y[row] = bias[row] + Σ values[row · places + j] · x[j].
  void (*dense_vector)(const float* values, int places, const float* x,
                       const float* bias, float* y, int rows);

  // y[16 · group] and following for groups in [begin, end). x has `chunks` · 32
  // elements. nullptr where there is no instruction for it.
  void (*lookup)(const Lookup&, int begin, int end, const float* x, float* y);

  void (*activate)(float* x, int64_t n, Activation, float slope);
  void (*add)(const float* a, const float* b, float* out, int64_t n);
  void (*multiply)(const float* a, const float* b, float* out, int64_t n);
  // out = a · scale + offset
  void (*affine)(const float* a, float scale, float offset, float* out,
                 int64_t n);
  // Over channels, of each position of [channels][stride].
  void (*softmax)(float* x, int channels, int64_t stride, int64_t n);

  // Of every stride-th element of `in`: out = in, max(out, in), out + in.
  void (*take)(const float* in, int64_t stride, float* out, int64_t n);
  // Every stride-th element of rows that are so far apart, in their order. Up to
  // 15 floats after each row may be overwritten, and 31 be read.
  void (*take_rows)(const float* in, int64_t pitch, int64_t stride, float* out,
                    int64_t out_pitch, int rows, int64_t n);
  void (*take_max)(const float* in, int64_t stride, float* out, int64_t n);
  void (*take_sum)(const float* in, int64_t stride, float* out, int64_t n);
  float (*sum)(const float* in, int64_t n);
  float (*max)(const float* in, int64_t n);

  // Positions [begin, end), begin a multiple of 32.
  void (*normalize)(const Norm&, int64_t begin, int64_t end);
  // Up to 15 floats after the columns are read, but no others are written.
  void (*attend)(const Attend&);
  void (*multiply_planes)(const PlaneProduct&, int64_t columns);
  // Floats [begin, end) of a step of a cell; up to 15 after the last range are
  // overwritten. Before the second product of kGruResetFirst comes `reset`.
  void (*cell_step)(const CellStep&, int64_t begin, int64_t end);
  void (*reset)(const CellStep&, int64_t begin, int64_t end);
};

// The kernels of the level in use.
const PlanKernels& plan_kernels();

}  // namespace rigl::plan

#endif  // TF_RIGL_NATIVE_PLAN_KERNELS_H_
