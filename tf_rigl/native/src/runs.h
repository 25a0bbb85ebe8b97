// Between planes of channels and tiles: copies of runs of columns.
#ifndef TF_RIGL_NATIVE_RUNS_H_
#define TF_RIGL_NATIVE_RUNS_H_

#include "kernels.h"
#include "vectors.h"

namespace {

// Integers of which the first `count` ≤ kLanes lanes are all ones.
RIGL_INLINE Integers<kLanes> first_lanes(int count) {
  alignas(64) static const int32_t kOnes[2 * 16] = {
      -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
  return *reinterpret_cast<const Integers<kLanes>*>(kOnes + 16 - count);
}

RIGL_INLINE Vector<kLanes> keep(Vector<kLanes> vector, Integers<kLanes> lanes) {
  return (Vector<kLanes>)((Integers<kLanes>)vector & lanes);
}

// Copies one run of all channels, by V whole vectors and `rest` columns, where
// others are kept. The last channel has no others beyond its columns.
template <int V>
void copy_run(const float* __restrict from, int64_t stride, int channels,
              int rest, int w, float* __restrict to) {
  constexpr int W = kLanes;
  const Integers<W> lanes = first_lanes(rest);
  for (int c = 0; c < channels; c++, from += stride, to += w) {
    for (int i = 0; i < V; i++) store<W>(to + i * W, load<W>(from + i * W));
    if (rest && c + 1 < channels) {
      const Integers<W> copied = (Integers<W>)load<W>(from + V * W) & lanes;
      const Integers<W> kept = (Integers<W>)load<W>(to + V * W) & ~lanes;
      store<W>(to + V * W, (Vector<W>)(copied | kept));
    } else {
      for (int i = V * W; i < V * W + rest; i++) to[i] = from[i];
    }
  }
}

// A run at a time, of all channels, so that nothing depends on its length
// within the loop. Runs are copied by whole vectors: what is too much is
// overwritten by the next run. In the last columns there is no room for it.
void copy_runs(const float* from, int64_t stride, const rigl::Run* runs,
               int count, int channels, int w, float* tile) {
  constexpr int W = kLanes;
  for (int r = 0; r < count; r++) {
    int64_t done = 0;
    while (done < runs[r].length) {
      const float* start = from + runs[r].offset + done;
      const int column = int(runs[r].column + done);
      const int left = int(runs[r].length - done);
      // As many whole vectors as fit the tile, at most four at a time.
      int vectors = (left + W - 1) / W;
      if (column + vectors * W > w) vectors--;
      vectors = vectors > 4 ? 4 : vectors;
      const int more = left - vectors * W;
      const int rest = vectors < 4 && more > 0 ? more : 0;

      float* to = tile + column;
      switch (vectors) {
        case 0:
          copy_run<0>(start, stride, channels, rest, w, to);
          break;
        case 1:
          copy_run<1>(start, stride, channels, rest, w, to);
          break;
        case 2:
          copy_run<2>(start, stride, channels, rest, w, to);
          break;
        case 3:
          copy_run<3>(start, stride, channels, rest, w, to);
          break;
        default:
          copy_run<4>(start, stride, channels, rest, w, to);
      }
      done += vectors * W + rest;
    }
  }
}

// Adds one run of all channels, by V whole vectors and `rest` columns.
template <int V>
void add_run(const float* __restrict tile, int w, int channels, int rest,
             float* __restrict to, int64_t stride) {
  constexpr int W = kLanes;
  const Integers<W> lanes = first_lanes(rest);
  for (int c = 0; c < channels; c++, to += stride, tile += w) {
    for (int i = 0; i < V; i++) {
      store<W>(to + i * W, load<W>(to + i * W) + load<W>(tile + i * W));
    }
    if (rest) {
      store<W>(to + V * W,
               load<W>(to + V * W) + keep(load<W>(tile + V * W), lanes));
    }
  }
}

void add_runs(const float* tile, int w, int channels, const rigl::Run* runs,
              int count, float* to, int64_t stride) {
  constexpr int W = kLanes;
  for (int r = 0; r < count; r++) {
    for (int done = 0; done < runs[r].length;) {
      const float* more = tile + runs[r].column + done;
      float* start = to + runs[r].offset + done;
      const int left = runs[r].length - done;
      const int vectors = left / W > 4 ? 4 : left / W;
      const int rest = vectors < 4 ? left % W : 0;
      switch (vectors) {
        case 0:
          add_run<0>(more, w, channels, rest, start, stride);
          break;
        case 1:
          add_run<1>(more, w, channels, rest, start, stride);
          break;
        case 2:
          add_run<2>(more, w, channels, rest, start, stride);
          break;
        case 3:
          add_run<3>(more, w, channels, rest, start, stride);
          break;
        default:
          add_run<4>(more, w, channels, rest, start, stride);
      }
      done += vectors * W + rest;
    }
  }
}

}  // namespace

#endif  // TF_RIGL_NATIVE_RUNS_H_
