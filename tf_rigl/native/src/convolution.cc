#include "convolution.h"

#include <algorithm>

#include "pool.h"

namespace rigl {
namespace {

int needed(int outputs, int stride, int window, int dilation) {
  return (outputs - 1) * stride + (window - 1) * dilation + 1;
}

// Sizes are checked one by one before they are multiplied.
bool are_positive(const RiglConvolution& c) {
  constexpr int32_t kLargest = 1 << 20;
  for (const int32_t size :
       {c.height, c.width, c.channels, c.window_height, c.window_width,
        c.out_height, c.out_width, c.row_stride, c.column_stride,
        c.row_dilation, c.column_dilation, c.top + 1, c.left + 1}) {
    if (size < 1 || size > kLargest) return false;
  }
  return true;
}

bool fits(std::initializer_list<int64_t> sizes) {
  int64_t product = 1;
  for (const int64_t size : sizes) {
    product *= size;
    if (product > INT32_MAX) return false;
  }
  return true;
}

}  // namespace

const char* check_convolution(const RiglConvolution& c,
                              const RiglIndex& index) {
  if (!are_positive(c)) return "sizes of a convolution must be 1 to 2^20";
  if (!fits({c.window_height, c.window_width, c.channels}) ||
      c.window_height * c.window_width * c.channels != index.inputs) {
    return "inputs must be those of the convolution's window";
  }
  const int64_t rows = int64_t(c.out_height - 1) * c.row_stride +
                       int64_t(c.window_height - 1) * c.row_dilation + 1;
  const int64_t columns = int64_t(c.out_width - 1) * c.column_stride +
                          int64_t(c.window_width - 1) * c.column_dilation + 1;
  if (!fits({rows + 1, columns + c.column_stride + 64, c.channels}) ||
      !fits({c.height, c.width, c.channels}) ||
      !fits({c.out_height, c.out_width, std::max(index.outputs, 1)})) {
    return "images must have fewer than 2^31 elements";
  }
  return nullptr;
}

Planes::Planes(const RiglConvolution& convolution) : shape_(convolution) {
  const RiglConvolution& c = shape_;
  rows_ = needed(c.out_height, c.row_stride, c.window_height, c.row_dilation);
  const int width =
      needed(c.out_width, c.column_stride, c.window_width, c.column_dilation);
  const int64_t phase = (width + c.column_stride - 1) / c.column_stride;
  row_stride_ = phase * c.column_stride;

  // An odd number of cache lines: planes at a distance of a power of two would
  // fall on the same few lines of the cache.
  const int64_t lines = (rows_ * row_stride_ + kSlack + 15) / 16;
  plane_stride_ = (lines | 1) * 16;
  image_stride_ = plane_stride_ * c.channels;

  for (int f = 0; f < std::min(c.column_stride, width); f++) {
    // The first column of the image whose place in the plane is of phase f.
    int first = (f - c.left) % c.column_stride;
    if (first < 0) first += c.column_stride;
    const int end = std::min(c.width, width - c.left);
    if (first >= end) continue;
    const int count = (end - first + c.column_stride - 1) / c.column_stride;
    columns_.push_back(
        {first, count, f * phase + (first + c.left) / c.column_stride});
  }
}

int64_t Planes::group() const {
  return std::max<int64_t>(1, (int64_t(1) << 18) / image_stride_);
}

int64_t Planes::start(int position) const {
  const int row = position / shape_.window_width * shape_.row_dilation;
  const int column = position % shape_.window_width * shape_.column_dilation;
  const int64_t phase = row_stride_ / shape_.column_stride;
  return row * row_stride_ + column % shape_.column_stride * phase +
         column / shape_.column_stride;
}

std::vector<Run> Planes::runs(const Tile& tile) const {
  std::vector<Run> runs;
  for (int done = 0; done < tile.rows;) {
    const int64_t position = tile.first + done;
    const int64_t image = position / outputs();
    const int row = int(position % outputs()) / shape_.out_width;
    const int column = int(position % outputs()) % shape_.out_width;
    const int length =
        std::min(shape_.out_width - column, tile.rows - done);
    runs.push_back({image * image_stride_ +
                        int64_t(row) * shape_.row_stride * row_stride_ + column,
                    done, length});
    done += length;
  }
  return runs;
}

template <class Function>
void Planes::visit_rows(int64_t images, const Function& visit) const {
  const RiglConvolution& c = shape_;
  parallel_for(int(images) * c.height, [&](int task) {
    const int64_t image = task / c.height;
    const int row = task % c.height;
    const int64_t in_image =
        (image * c.height + row) * int64_t(c.width) * c.channels;
    const bool is_seen = row + c.top < rows_;
    visit(in_image, image * image_stride_ + (row + c.top) * row_stride_,
          is_seen);
  });
}

void Planes::read(const Kernels& all, const float* x, int64_t images,
                  float* planes) const {
  const int64_t pixel = shape_.channels;
  visit_rows(images, [&](int64_t in_image, int64_t in_plane, bool is_seen) {
    if (!is_seen) return;
    for (const Columns& one : columns_) {
      all.transpose(x + in_image + one.first * pixel,
                    pixel * shape_.column_stride, one.count, shape_.channels,
                    planes + in_plane + one.offset, plane_stride_);
    }
  });
}

void Planes::write(const Kernels& all, const float* planes, int64_t images,
                   float* x) const {
  const int64_t pixel = shape_.channels;
  int seen = 0;
  for (const Columns& one : columns_) seen += one.count;

  visit_rows(images, [&](int64_t in_image, int64_t in_plane, bool is_seen) {
    if (!is_seen || seen < shape_.width) {
      std::fill_n(x + in_image, shape_.width * pixel, 0.0f);
    }
    if (!is_seen) return;
    for (const Columns& one : columns_) {
      all.transpose(planes + in_plane + one.offset, plane_stride_,
                    shape_.channels, one.count,
                    x + in_image + one.first * pixel,
                    pixel * shape_.column_stride);
    }
  });
}

void clear_rest(const Tile& tile, int features, float* values) {
  if (tile.rows == tile.w) return;
  for (int i = 0; i < features; i++) {
    std::fill(values + size_t(i) * tile.w + tile.rows,
              values + size_t(i + 1) * tile.w, 0.0f);
  }
}

}  // namespace rigl
