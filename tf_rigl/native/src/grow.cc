// Where the dense gradient is largest, without ever holding it.
//
// Blocks of it are computed in registers, and of each only what may be among
// the best is kept. From which score on is guessed from a sample of blocks: with
// a threshold that starts at 0, most of the time would go to candidates that
// better ones replace.

#include <algorithm>

#include "bounds.h"
#include "candidates.h"
#include "kernels.h"
#include "partition.h"
#include "pool.h"
#include "ranking.h"
#include "rigl.h"
#include "scratch.h"

namespace rigl {
namespace {

// In the sample are every so many blocks of inputs and panels of outputs.
constexpr int kSampleStride = 4;

// Below this many positions a sample would not pay.
constexpr int64_t kLeastSampled = 1 << 16;

// How many more candidates than needed the sample is to leave.
constexpr double kSampleMargin = 1.3;

int divide_up(int64_t a, int64_t b) { return int((a + b - 1) / b); }

// The inputs of the search. A panel is kBlockOutputs outputs.
template <class TColumn>
struct Search {
  const Kernels& all;
  const RiglIndex& index;
  const TColumn* t_cols;
  const float* dy;
  int64_t batch;
  const float* x_blocks;  // [blocks][batch][kBlockInputs]

  int blocks() const { return divide_up(index.inputs, kBlockInputs); }
  int panels() const { return divide_up(index.outputs, kBlockOutputs); }
};

// Copies x [batch][inputs] to [blocks][batch][kBlockInputs]: rows of x may be
// a multiple of 4096 bytes apart, which only a few lines of a cache may be.
void copy_blocks(const float* x, int64_t batch, int inputs, float* to) {
  const int blocks = divide_up(inputs, kBlockInputs);
  parallel_for(blocks, [&](int block) {
    const int first = block * kBlockInputs;
    const int count = std::min(kBlockInputs, inputs - first);
    float* block_to = to + size_t(block) * batch * kBlockInputs;
    for (int64_t b = 0; b < batch; b++) {
      const float* from = x + b * inputs + first;
      for (int i = 0; i < kBlockInputs; i++) {
        block_to[b * kBlockInputs + i] = i < count ? from[i] : 0;
      }
    }
  });
}

// Copies a panel of dy [batch][outputs] to [batch][kBlockOutputs].
void copy_panel(const float* dy, int64_t batch, int outputs, int first,
                float* to) {
  const int count = std::min(kBlockOutputs, outputs - first);
  for (int64_t b = 0; b < batch; b++) {
    const float* from = dy + b * outputs + first;
    float* row = to + b * kBlockOutputs;
    std::copy(from, from + count, row);
    std::fill(row + count, row + kBlockOutputs, 0.0f);
  }
}

// Calls visit(input, first_output, scores, active) for each input of each
// `stride`-th block of the panels [begin, end), again every `stride`-th. Bit i
// of `active` tells whether output first_output + i is in the index, or beyond
// the last output.
template <class TColumn, class Visit>
void visit_gradient(const Search<TColumn>& search, int begin, int end,
                    int stride, float* panel, int32_t* cursors,
                    const Visit& visit) {
  const RiglIndex& index = search.index;
  alignas(64) float scores[kBlockInputs * kBlockOutputs];

  // Outputs ascend, so each input's next connection is remembered.
  std::copy(index.t_ptr, index.t_ptr + index.inputs, cursors);

  for (int p = begin; p < end; p += stride) {
    const int first = p * kBlockOutputs;
    const int width = std::min(kBlockOutputs, index.outputs - first);
    const uint64_t beyond =
        width == kBlockOutputs ? 0 : ~uint64_t(0) << width;
    copy_panel(search.dy, search.batch, index.outputs, first, panel);

    for (int block = 0; block < search.blocks(); block += stride) {
      search.all.gradient_block(
          search.x_blocks + size_t(block) * search.batch * kBlockInputs, panel,
          search.batch, scores);

      const int input = block * kBlockInputs;
      const int count = std::min(kBlockInputs, index.inputs - input);
      for (int i = 0; i < count; i++) {
        const int last = index.t_ptr[input + i + 1];
        int j = cursors[input + i];
        uint64_t active = beyond;
        for (; j < last && int(search.t_cols[j]) < first + width; j++) {
          // Those of panels that were left out are below `first`.
          const int place = int(search.t_cols[j]) - first;
          if (place >= 0) active |= uint64_t(1) << place;
        }
        cursors[input + i] = j;
        visit(input + i, first, scores + i * kBlockOutputs, active);
      }
    }
  }
}

// Guesses a threshold that slightly more than `count` scores reach.
template <class TColumn>
int32_t guess_threshold(const Search<TColumn>& search, int64_t count,
                        int64_t inactive) {
  const int64_t size = int64_t(search.index.inputs) * search.index.outputs;
  if (size < kLeastSampled) return 0;

  const Scratch panel(search.batch * kBlockOutputs);
  const Scratch cursors(search.index.inputs);
  std::vector<int32_t> keys;
  keys.reserve(size / (kSampleStride * kSampleStride) +
               size_t(kSampleStride) * (search.index.inputs + kBlockOutputs));
  visit_gradient(search, 0, search.panels(), kSampleStride, panel.data(),
                 reinterpret_cast<int32_t*>(cursors.data()),
                 [&](int, int, const float* scores, uint64_t active) {
                   for (uint64_t free = ~active; free; free &= free - 1) {
                     keys.push_back(
                         magnitude_key(scores[__builtin_ctzll(free)]));
                   }
                 });

  const double share = double(keys.size()) / double(inactive);
  const double place = kSampleMargin * share * double(count) + 64;
  if (place >= double(keys.size())) return 0;
  const auto found = keys.begin() + int64_t(place);
  std::nth_element(keys.begin(), found, keys.end(), std::greater<int32_t>());
  return *found;
}

// Finds all inactive positions whose scores reach the threshold, or the best
// `count` of them and maybe more.
template <class TColumn>
std::vector<uint64_t> find(const Search<TColumn>& search, int64_t count,
                           int32_t threshold) {
  const RiglIndex& index = search.index;
  const int64_t work =
      int64_t(index.inputs) * index.outputs * search.batch / kBlockInputs;
  const int tasks = std::min(search.panels(), parts_for(work));

  // Here, because tasks must not throw.
  std::vector<Candidates> found;
  found.reserve(tasks);
  for (int i = 0; i < tasks; i++) found.emplace_back(count, threshold);
  const size_t panel_floats = size_t(search.batch) * kBlockOutputs;
  const Scratch panels(panel_floats * tasks);
  const Scratch cursors(size_t(index.inputs) * tasks);

  parallel_for(tasks, [&](int task) {
    Candidates& best = found[task];
    const auto add = [&](int input, int first, const float* scores,
                         uint64_t active) {
      uint64_t bits = search.all.at_least(scores, best.threshold()) & ~active;
      if (!bits) return;
      best.make_room(kBlockOutputs);
      for (; bits; bits &= bits - 1) {
        const int i = __builtin_ctzll(bits);
        const int64_t position = int64_t(input) * index.outputs + first + i;
        best.add(rank(magnitude_key(scores[i]), uint32_t(position)));
      }
    };
    const auto part = [&](int number) {
      return int(int64_t(search.panels()) * number / tasks);
    };
    visit_gradient(search, part(task), part(task + 1), 1,
                   panels.data() + panel_floats * task,
                   reinterpret_cast<int32_t*>(cursors.data()) +
                       size_t(index.inputs) * task,
                   add);
  });

  std::vector<uint64_t> ranks;
  for (const Candidates& one : found) {
    ranks.insert(ranks.end(), one.ranks().begin(), one.ranks().end());
  }
  return ranks;
}

template <class TColumn>
void grow(const Search<TColumn>& search, int64_t count, int64_t* positions,
          float* scores) {
  const RiglIndex& index = search.index;
  const int64_t inactive =
      int64_t(index.inputs) * index.outputs - index.connections;
  const int64_t wanted = std::min(count, inactive);

  std::vector<uint64_t> ranks;
  if (wanted > 0) {
    const int32_t threshold = guess_threshold(search, wanted, inactive);
    ranks = find(search, wanted, threshold);
    // The guess was too high.
    if (int64_t(ranks.size()) < wanted) ranks = find(search, wanted, 0);
  }

  lowest_of_highest(ranks, wanted);
  ranks.resize(wanted);
  sort_by_place(ranks);
  for (int64_t i = 0; i < wanted; i++) {
    positions[i] = place_of(ranks[i]);
    const int32_t key = key_of(ranks[i]);
    std::memcpy(&scores[i], &key, sizeof key);
  }
  std::fill(positions + wanted, positions + count, int64_t(-1));
  std::fill(scores + wanted, scores + count, -1.0f);
}

}  // namespace
}  // namespace rigl

const char* rigl_grow(const RiglIndex* index, const float* x, const float* dy,
                      int64_t batch, int64_t count, int64_t* positions,
                      float* scores) {
  using namespace rigl;
  if (const char* error = check_transposed(*index)) return error;
  if (int64_t(index->inputs) * index->outputs > int64_t(UINT32_MAX)) {
    return "inputs · outputs must be below 2^32";
  }
  return guarded([&]() -> const char* {
    const int blocks = divide_up(index->inputs, kBlockInputs);
    const Scratch x_blocks(size_t(blocks) * kBlockInputs * batch);
    copy_blocks(x, batch, index->inputs, x_blocks.data());
    with_columns(index->t_cols, index->t_column_bytes, [&](auto* t_cols) {
      using TColumn = std::remove_cv_t<std::remove_pointer_t<decltype(t_cols)>>;
      grow(Search<TColumn>{kernels(), *index, t_cols, dy, batch,
                           x_blocks.data()},
           count, positions, scores);
    });
    return nullptr;
  });
}
