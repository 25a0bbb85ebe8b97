// Where the dense gradient is largest, without ever holding it.
//
// Blocks of it are computed in registers, and of each only what may be among
// the best is kept. From which score on is guessed from a sample of blocks: with
// a threshold that starts at 0, most of the time would go to candidates that
// better ones replace.

#include <algorithm>

#include "bounds.h"
#include "candidates.h"
#include "convolution.h"
#include "kernels.h"
#include "partition.h"
#include "pool.h"
#include "ranking.h"
#include "rigl.h"
#include "scratch.h"

namespace rigl {
namespace {

// In the sample are every so many blocks of inputs and panels of outputs.
constexpr int kSampleStride = 6;

// Below this many positions a sample would not pay.
constexpr int64_t kLeastSampled = 1 << 16;

// How many more candidates than needed the sample is to leave.
constexpr double kSampleMargin = 1.3;

// Blocks of inputs that share one pass over a part of the batch, so that large
// batches are not read from memory for every block.
constexpr int kBlocksAtOnce = 4;
constexpr int64_t kBatchAtOnce = 512;

constexpr int kBlockSize = kBlockInputs * kBlockOutputs;

int divide_up(int64_t a, int64_t b) { return int((a + b - 1) / b); }

// Copies a matrix [batch][features] to panels [panels][batch][kWidth], padded
// with zeros. In the matrix, rows may be a multiple of 4096 bytes apart, and
// only a few lines at such distances fit the first cache.
template <int kWidth>
void copy_panels(const float* from, int64_t batch, int features, float* to) {
  parallel_for(divide_up(features, kWidth), [&](int panel) {
    const int first = panel * kWidth;
    const int count = std::min(kWidth, features - first);
    float* row = to + size_t(panel) * batch * kWidth;
    for (int64_t b = 0; b < batch; b++, row += kWidth) {
      const float* start = from + b * features + first;
      if (count == kWidth) {
        std::copy(start, start + kWidth, row);
      } else {
        std::copy(start, start + count, row);
        std::fill(row + count, row + kWidth, 0.0f);
      }
    }
  });
}

// The inputs of a matrix, which were copied to [blocks][batch][kBlockInputs].
struct MatrixInputs {
  const float* blocks;
  int64_t batch;

  // Returns [rows][kBlockInputs], of rows of the batch from the first on.
  const float* find(int block, int64_t first, int64_t rows, float*) const {
    (void)rows;
    return blocks + (block * batch + first) * kBlockInputs;
  }
};

// The inputs of a convolution, whose batch is that of its outputs: found anew
// for each block, so that none is held once for each position of the window.
struct WindowInputs {
  const RiglConvolution& shape;
  const float* x;
  int inputs;

  const float* find(int block, int64_t first, int64_t rows, float* to) const {
    const RiglConvolution& c = shape;
    int row_of[kBlockInputs], column_of[kBlockInputs], channel[kBlockInputs];
    const int count = std::min(kBlockInputs, inputs - block * kBlockInputs);
    for (int i = 0; i < count; i++) {
      const int input = block * kBlockInputs + i;
      const int position = input / c.channels;
      row_of[i] = position / c.window_width * c.row_dilation - c.top;
      column_of[i] = position % c.window_width * c.column_dilation - c.left;
      channel[i] = input % c.channels;
    }

    const int64_t outputs = int64_t(c.out_height) * c.out_width;
    int64_t image = first / outputs;
    int out_row = int(first % outputs) / c.out_width;
    int out_column = int(first % outputs) % c.out_width;
    for (int64_t b = 0; b < rows; b++) {
      for (int i = 0; i < kBlockInputs; i++) {
        float value = 0;
        if (i < count) {
          const int row = out_row * c.row_stride + row_of[i];
          const int column = out_column * c.column_stride + column_of[i];
          if (row >= 0 && row < c.height && column >= 0 && column < c.width) {
            value = x[((image * c.height + row) * c.width + column) *
                          c.channels +
                      channel[i]];
          }
        }
        to[b * kBlockInputs + i] = value;
      }

      if (++out_column < c.out_width) continue;
      out_column = 0;
      if (++out_row < c.out_height) continue;
      out_row = 0;
      image++;
    }
    return to;
  }
};

template <class TColumn, class Inputs>
struct Search {
  const Kernels& all;
  const RiglIndex& index;
  const TColumn* t_cols;
  int64_t batch;
  Inputs inputs;
  const float* dy_panels;  // [panels][batch][kBlockOutputs]

  int blocks() const { return divide_up(index.inputs, kBlockInputs); }
  int panels() const { return divide_up(index.outputs, kBlockOutputs); }

  // Floats and words of 64 bits that a task needs.
  size_t strip_size() const {
    return size_t(kBlocksAtOnce) * panels() * kBlockSize;
  }
};

// Computes the gradient of some blocks, of every `stride`-th panel:
// strip [kBlocksAtOnce][panels][kBlockInputs][kBlockOutputs].
template <class TColumn, class Inputs>
void compute_strip(const Search<TColumn, Inputs>& search, int begin, int end,
                   int stride, float* strip) {
  const int panels = search.panels();
  alignas(64) float copy[kBatchAtOnce * kBlockInputs];
  // At least once, so that an empty batch gives zeros.
  int64_t b = 0;
  do {
    const int64_t rows = std::min(kBatchAtOnce, search.batch - b);
    for (int block = begin; block < end; block++) {
      const float* x = search.inputs.find(block, b, rows, copy);
      float* out = strip + size_t(block - begin) * panels * kBlockSize;
      for (int p = 0; p < panels; p += stride) {
        const float* dy =
            search.dy_panels + (p * search.batch + b) * kBlockOutputs;
        search.all.gradient_block(x, dy, rows, b > 0,
                                  out + size_t(p) * kBlockSize);
      }
    }
    b += rows;
  } while (b < search.batch);
}

// Marks the outputs of one input that are in the index, or beyond the last one,
// by bits of words of kBlockOutputs.
template <class TColumn, class Inputs>
void mark_active(const Search<TColumn, Inputs>& search, int input, uint64_t* active) {
  const RiglIndex& index = search.index;
  std::fill(active, active + search.panels(), uint64_t(0));
  for (int j = index.t_ptr[input]; j < index.t_ptr[input + 1]; j++) {
    const uint32_t output = search.t_cols[j];
    active[output / kBlockOutputs] |= uint64_t(1) << output % kBlockOutputs;
  }
  const int last = index.outputs % kBlockOutputs;
  if (last) active[search.panels() - 1] |= ~uint64_t(0) << last;
}

// Calls visit(position, scores, active) for each input of the blocks [begin,
// end) and each panel, in order of positions, with kBlockOutputs scores; or of
// every `stride`-th group of blocks and panel.
template <class TColumn, class Inputs, class Visit>
void visit_gradient(const Search<TColumn, Inputs>& search, int begin, int end,
                    int stride, float* strip, uint64_t* active,
                    const Visit& visit) {
  const RiglIndex& index = search.index;
  const int panels = search.panels();
  for (int first = begin; first < end; first += stride * kBlocksAtOnce) {
    const int next = std::min(first + kBlocksAtOnce, end);
    compute_strip(search, first, next, stride, strip);

    const int last_input = std::min(next * kBlockInputs, index.inputs);
    for (int input = first * kBlockInputs; input < last_input; input++) {
      mark_active(search, input, active);
      const int row = input - first * kBlockInputs;
      const float* scores =
          strip + size_t(row / kBlockInputs) * panels * kBlockSize +
          row % kBlockInputs * kBlockOutputs;
      for (int p = 0; p < panels; p += stride) {
        const int64_t position =
            int64_t(input) * index.outputs + p * kBlockOutputs;
        visit(position, scores + size_t(p) * kBlockSize, active[p]);
      }
    }
  }
}

// Guesses a threshold that slightly more than `count` scores reach.
template <class TColumn, class Inputs>
int32_t guess_threshold(const Search<TColumn, Inputs>& search, int64_t count,
                        int64_t inactive) {
  const int64_t size = int64_t(search.index.inputs) * search.index.outputs;
  if (size < kLeastSampled) return 0;

  const Scratch strip(search.strip_size());
  std::vector<uint64_t> active(search.panels());
  std::vector<int32_t> keys;
  visit_gradient(search, 0, search.blocks(), kSampleStride, strip.data(),
                 active.data(),
                 [&](int64_t, const float* scores, uint64_t busy) {
                   for (uint64_t free = ~busy; free; free &= free - 1) {
                     keys.push_back(
                         magnitude_key(scores[__builtin_ctzll(free)]));
                   }
                 });

  const double share = double(keys.size()) / double(inactive);
  const double place = kSampleMargin * share * double(count) + 64;
  if (place >= double(keys.size())) return 0;
  const auto key = [&](size_t i) { return keys[i]; };
  return Highest(keys.size(), size_t(place), key, keys.data()).threshold();
}

// Finds all inactive positions whose scores reach the threshold, or the best
// `count` of them and maybe more, in order of positions.
template <class TColumn, class Inputs>
std::vector<Candidate> find(const Search<TColumn, Inputs>& search, int64_t count,
                           int32_t threshold) {
  const RiglIndex& index = search.index;
  const int64_t work =
      int64_t(index.inputs) * index.outputs * search.batch / kBlockInputs;
  const int groups = divide_up(search.blocks(), kBlocksAtOnce);
  const int tasks = std::min(groups, parts_for(work));

  // Here, because tasks must not throw.
  std::vector<Candidates> found;
  found.reserve(tasks);
  for (int i = 0; i < tasks; i++) found.emplace_back(count, threshold);
  const Scratch strips(search.strip_size() * tasks);
  std::vector<uint64_t> active(size_t(search.panels()) * tasks);

  parallel_for(tasks, [&](int task) {
    Candidates& best = found[task];
    const auto add = [&](int64_t position, const float* scores, uint64_t busy) {
      uint64_t bits = search.all.at_least(scores, best.threshold()) & ~busy;
      if (!bits) return;
      best.make_room(kBlockOutputs);
      for (; bits; bits &= bits - 1) {
        const int i = __builtin_ctzll(bits);
        best.add({magnitude_key(scores[i]), uint32_t(position + i)});
      }
    };
    const auto part = [&](int number) {
      const int group = int(int64_t(groups) * number / tasks);
      return std::min(group * kBlocksAtOnce, search.blocks());
    };
    visit_gradient(search, part(task), part(task + 1), 1,
                   strips.data() + search.strip_size() * task,
                   active.data() + size_t(search.panels()) * task, add);
  });

  std::vector<Candidate> all;
  for (const Candidates& one : found) {
    all.insert(all.end(), one.list().begin(), one.list().end());
  }
  return all;
}

template <class TColumn, class Inputs>
void grow(const Search<TColumn, Inputs>& search, int64_t count, int64_t* positions,
          float* scores) {
  const RiglIndex& index = search.index;
  const int64_t inactive =
      int64_t(index.inputs) * index.outputs - index.connections;
  const int64_t wanted = std::min(count, inactive);

  std::vector<Candidate> candidates;
  if (wanted > 0) {
    const int32_t threshold = guess_threshold(search, wanted, inactive);
    candidates = find(search, wanted, threshold);
    // The guess was too high.
    if (int64_t(candidates.size()) < wanted) {
      candidates = find(search, wanted, 0);
    }
  }

  const auto key = [&](size_t i) { return candidates[i].key; };
  Arena arena(candidates.size() * sizeof(int32_t));
  Highest highest(candidates.size(), wanted, key,
                  arena.take<int32_t>(candidates.size()));
  int64_t found = 0;
  for (const Candidate& one : candidates) {
    if (!highest.includes(one.key)) continue;
    positions[found] = one.position;
    scores[found++] = magnitude_of(one.key);
  }
  std::fill(positions + wanted, positions + count, int64_t(-1));
  std::fill(scores + wanted, scores + count, -1.0f);
}

// Checks what all searches need.
const char* check_growth(const RiglIndex& index) {
  if (const char* error = check_transposed(index)) return error;
  if (int64_t(index.inputs) * index.outputs > int64_t(UINT32_MAX)) {
    return "inputs · outputs must be below 2^32";
  }
  return nullptr;
}

// Calls `grow` with the type of columns, and a copy of dy.
template <class Inputs>
void grow_with(const RiglIndex& index, const Inputs& inputs, const float* dy,
               int64_t batch, int64_t count, int64_t* positions,
               float* scores) {
  // Padded to whole panels.
  const Scratch dy_panels(size_t(batch) * (index.outputs + kBlockOutputs));
  copy_panels<kBlockOutputs>(dy, batch, index.outputs, dy_panels.data());
  with_columns(index.t_cols, index.t_column_bytes, [&](auto* t_cols) {
    using TColumn = std::remove_cv_t<std::remove_pointer_t<decltype(t_cols)>>;
    grow(Search<TColumn, Inputs>{kernels(), index, t_cols, batch, inputs,
                                 dy_panels.data()},
         count, positions, scores);
  });
}

}  // namespace
}  // namespace rigl

const char* rigl_grow(const RiglIndex* index, const float* x, const float* dy,
                      int64_t batch, int64_t count, int64_t* positions,
                      float* scores) {
  using namespace rigl;
  if (const char* error = check_growth(*index)) return error;
  return guarded([&]() -> const char* {
    // Padded to whole blocks.
    const Scratch blocks(size_t(batch) * (index->inputs + kBlockInputs));
    copy_panels<kBlockInputs>(x, batch, index->inputs, blocks.data());
    grow_with(*index, MatrixInputs{blocks.data(), batch}, dy, batch, count,
              positions, scores);
    return nullptr;
  });
}

const char* rigl_convolve_grow(const RiglIndex* index,
                               const RiglConvolution* convolution,
                               const float* x, const float* dy, int64_t batch,
                               int64_t count, int64_t* positions,
                               float* scores) {
  using namespace rigl;
  if (const char* error = check_growth(*index)) return error;
  if (const char* error = check_convolution(*convolution, *index)) return error;
  return guarded([&]() -> const char* {
    const int64_t outputs =
        int64_t(convolution->out_height) * convolution->out_width;
    grow_with(*index, WindowInputs{*convolution, x, index->inputs}, dy,
              batch * outputs, count, positions, scores);
    return nullptr;
  });
}
