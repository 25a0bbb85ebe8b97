// Inputs of convolutions as one padded plane for each channel.
//
// Seen from the outputs, the inputs at one position of the window are then a
// plane that starts elsewhere: the tile of a product is a copy of runs of
// columns, and nothing of the batch is ever held once for each position of the
// window. With a stride, columns of the same remainder lie side by side, so that
// runs are as long.
#ifndef TF_RIGL_NATIVE_CONVOLUTION_H_
#define TF_RIGL_NATIVE_CONVOLUTION_H_

#include <cstdint>
#include <vector>

#include "kernels.h"
#include "partition.h"
#include "rigl.h"

namespace rigl {

// Returns nullptr, or what is wrong with a convolution of a weight's inputs.
const char* check_convolution(const RiglConvolution& convolution,
                              const RiglIndex& index);

class Planes {
 public:
  explicit Planes(const RiglConvolution& convolution);

  // Positions of the window.
  int positions() const { return shape_.window_height * shape_.window_width; }
  int channels() const { return shape_.channels; }
  int outputs() const { return shape_.out_height * shape_.out_width; }

  // Images whose planes are worked on together: about a megabyte.
  int64_t group() const;
  // Floats of the planes of so many images.
  size_t size(int64_t images) const { return images * image_stride_ + kSlack; }
  int64_t stride() const { return plane_stride_; }

  // Where the window's position starts, from the start of a plane.
  int64_t start(int position) const;

  // The columns of a tile of outputs, counted from those of the first image.
  std::vector<Run> runs(const Tile& tile) const;

  // Writes images [images, height, width, channels] to planes, whose borders
  // are 0 already; and the way back, where pixels that no output sees are 0.
  void read(const Kernels& all, const float* x, int64_t images,
            float* planes) const;
  void write(const Kernels& all, const float* planes, int64_t images,
             float* x) const;

 private:
  // Some columns of one row, in the image and in its plane.
  struct Columns {
    int first;  // of the image; `column_stride` apart
    int count;
    int64_t offset;  // from the start of the row of the plane
  };

  template <class Function>
  void visit_rows(int64_t images, const Function& visit) const;

  RiglConvolution shape_;
  int rows_;  // of a plane
  int64_t row_stride_;
  int64_t plane_stride_;
  int64_t image_stride_;
  std::vector<Columns> columns_;
};

// Fills the columns of a tile [features][w] from `rows` on with zeros.
void clear_rest(const Tile& tile, int features, float* values);

}  // namespace rigl

#endif  // TF_RIGL_NATIVE_CONVOLUTION_H_
