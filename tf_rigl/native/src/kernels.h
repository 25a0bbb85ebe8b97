// What is compiled once for each level of vector instructions.
//
// All kernels work on tiles: some columns of the batch, side by side, for each
// feature. A tile of w columns is [features][w]; each connection is then one
// broadcast and w / lanes multiply-adds.
#ifndef TF_RIGL_NATIVE_KERNELS_H_
#define TF_RIGL_NATIVE_KERNELS_H_

#include <cstddef>
#include <cstdint>

namespace rigl {

// Rows of one half of an index: a range of outputs, or of inputs.
template <class Column>
struct Rows {
  int begin;
  int end;
  const int32_t* ptr;
  const Column* cols;
};

// Columns of a tile that lie side by side in a plane, `offset` floats from where
// a window starts.
struct Run {
  int64_t offset;
  int column;
  int length;
};

// Floats that kernels may read beyond the end of a run, and add 0 to.
constexpr int kSlack = 16;

// Inputs and outputs of one block of the dense gradient. Six by four vectors
// of AVX-512, or six by two of the others, fill the registers.
constexpr int kBlockInputs = 6;
constexpr int kBlockOutputs = 64;

template <class Column>
struct ColumnKernels {
  // out[row - begin][w] = bias[row] + Σ values[j] · tile[cols[j]][w]. The bias
  // may be null.
  void (*product)(Rows<Column>, const float* values, const float* bias,
                  const float* tile, int w, float* out);

  // dvalues[j] = (dvalues[j] if `add`) + Σ over w of tile[cols[j]] · dtile[row].
  void (*values_gradient)(Rows<Column>, const float* tile, const float* dtile,
                          int w, bool add, float* dvalues);

  // y[row] = bias[row] + Σ values[j] · x[cols[j]], for a batch of one.
  void (*vector_product)(Rows<Column>, const float* values, const float* bias,
                         const float* x, float* y);

  // Returns whether all columns are below `size`.
  bool (*are_below)(const Column* cols, int count, int size);
};

struct Kernels {
  const char* name;
  int lanes;

  // Transposes `rows` ≤ w rows of `features` floats into a tile [features][w];
  // other columns become 0. And the way back.
  void (*to_tile)(const float* from, int64_t stride, int rows, int features,
                  int w, float* tile);
  void (*from_tile)(const float* tile, int w, int rows, int features, float* to,
                    int64_t stride);

  // Transposes from [rows][columns] to [columns][rows], by any strides.
  void (*transpose)(const float* from, int64_t from_stride, int rows,
                    int columns, float* to, int64_t to_stride);

  // tile [channels][w]: the runs, in order of columns, of planes that are
  // `stride` floats apart. Other columns are undefined.
  void (*copy_runs)(const float* from, int64_t stride, const Run* runs,
                    int count, int channels, int w, float* tile);

  // Adds the runs of a tile [channels][w] to planes.
  void (*add_runs)(const float* tile, int w, int channels, const Run* runs,
                   int count, float* to, int64_t stride);

  // out [kBlockInputs][kBlockOutputs] = (out if `add`) + Σ over the batch of
  // x [batch][kBlockInputs] · dy [batch][kBlockOutputs].
  void (*gradient_block)(const float* x, const float* dy, int64_t batch,
                         bool add, float* out);

  // Bit i tells whether the magnitude of row[i], as an integer, is at least
  // `key`, for kBlockOutputs floats.
  uint64_t (*at_least)(const float* row, int32_t key);

  ColumnKernels<uint16_t> narrow;
  ColumnKernels<int32_t> wide;

  template <class Column>
  const ColumnKernels<Column>& of() const;
};

template <>
inline const ColumnKernels<uint16_t>& Kernels::of<uint16_t>() const {
  return narrow;
}

template <>
inline const ColumnKernels<int32_t>& Kernels::of<int32_t>() const {
  return wide;
}

// The best kernels that the machine runs and `cap_level` allows.
const Kernels& kernels();
int cap_level(int highest);

}  // namespace rigl

#endif  // TF_RIGL_NATIVE_KERNELS_H_
