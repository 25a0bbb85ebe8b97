// Between planes of channels and tiles: copies of runs of columns.
#ifndef TF_RIGL_NATIVE_RUNS_H_
#define TF_RIGL_NATIVE_RUNS_H_

#include "kernels.h"
#include "vectors.h"

namespace {

// Each run is copied by whole vectors, so that one of seven columns takes one
// copy. What is too much is overwritten by the next run or channel; there is
// nothing too much in the last channel.
void copy_runs(const float* __restrict from, int64_t stride,
               const rigl::Run* runs, int count, int channels, int w,
               float* __restrict tile) {
  for (int c = 0; c < channels; c++, from += stride, tile += w) {
    const bool is_last = c + 1 == channels;
    for (int r = 0; r < count; r++) {
      const float* start = from + runs[r].offset;
      float* to = tile + runs[r].column;
      const int length = runs[r].length;
      const int whole = is_last ? length - length % kLanes : length;
      int i = 0;
      for (; i < whole; i += kLanes) {
        store<kLanes>(to + i, load<kLanes>(start + i));
      }
      for (; i < length; i++) to[i] = start[i];
    }
  }
}

// Adds a tile to the planes. Zeros are added beyond the end of a run.
void add_runs(const float* __restrict tile, int w, int channels,
              const rigl::Run* runs, int count, float* __restrict to,
              int64_t stride) {
  constexpr int W = kLanes;
  alignas(64) static const int32_t kKeep[2 * 16] = {
      -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};

  for (int c = 0; c < channels; c++, to += stride, tile += w) {
    for (int r = 0; r < count; r++) {
      float* start = to + runs[r].offset;
      const float* more = tile + runs[r].column;
      int left = runs[r].length;
      for (; left >= W; left -= W, start += W, more += W) {
        store<W>(start, load<W>(start) + load<W>(more));
      }
      if (left) {
        const auto keep =
            *reinterpret_cast<const Integers<W>*>(kKeep + 16 - left);
        const auto rest = *reinterpret_cast<const Integers<W>*>(more) & keep;
        store<W>(start, load<W>(start) + (Vector<W>)rest);
      }
    }
  }
}

}  // namespace

#endif  // TF_RIGL_NATIVE_RUNS_H_
