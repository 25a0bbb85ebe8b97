// One update of the connections: drop, grow, and the new index.

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "bounds.h"
#include "ranking.h"
#include "rigl.h"
#include "scratch.h"

namespace rigl {
namespace {

constexpr char kNotDistinct[] = "positions must be distinct";
constexpr char kNotPermuted[] = "t_perm must have each connection once";

// Loops here write their results without branches, which could not be
// predicted: one place more than is counted. Their arrays are from one arena,
// because fresh pages would take a third of an update.

// Positions that may become connections, ascending.
struct Candidates {
  size_t size;
  const int64_t* positions;
  int32_t* keys;   // of their scores
  uint8_t* taken;  // [size]
};

// Places, among the values, of connections that are dropped unless they grow
// back.
struct Dropped {
  size_t size;
  int32_t* places;  // [size + 1]
};

size_t arena_bytes(size_t size, size_t drop, size_t candidates,
                   const RiglIndex& index) {
  const size_t per_connection = sizeof(int32_t) + 1;
  const size_t per_candidate = sizeof(int32_t) * 2 + 1;
  const size_t per_output = sizeof(int32_t) * 4;
  return size * per_connection + drop * sizeof(int32_t) * 3 +
         candidates * per_candidate + size_t(index.outputs) * per_output + 64;
}

bool all_finite(const float* scores, int64_t count) {
  bool finite = true;
  for (int64_t i = 0; i < count; i++) finite &= is_finite(scores[i]);
  return finite;
}

// Lets those of largest |value| stay, of equal ones those of lowest position,
// and lists the others. `memory` is for one key of each connection.
void keep_largest(const RiglIndex& index, const float* values, int32_t* memory,
                  uint8_t* stays, Dropped& dropped) {
  const size_t size = index.connections;
  const auto key = [&](size_t i) { return magnitude_key(values[i]); };
  const Highest highest(size, size - dropped.size, key, memory);

  const int32_t threshold = highest.threshold();
  size_t equal = 0;
  for (size_t i = 0; i < size; i++) equal += key(i) == threshold;
  const bool all = equal == highest.ties();
  const int32_t below = all ? threshold - 1 : threshold;
  for (size_t i = 0; i < size; i++) stays[i] = key(i) > below;
  // In a damaged t_perm, some may be there twice and others never.
  size_t ties = all ? 0 : highest.ties();
  for (size_t j = 0; ties > 0 && j < size; j++) {
    const size_t i = index.t_perm[j];
    stays[i] |= key(i) == threshold;
    ties -= key(i) == threshold;
  }

  size_t count = 0;
  for (size_t i = 0; i < size; i++) {
    dropped.places[count] = int32_t(i);
    count += count < dropped.size && !stays[i];
  }
}

// The flat position of a value.
int64_t position_of(const RiglIndex& index, int32_t place) {
  const int32_t* end = index.row_ptr + index.outputs + 1;
  const auto output = std::upper_bound(index.row_ptr, end, place) - 1;
  return with_columns(index.cols, index.column_bytes, [&](auto* cols) {
    return int64_t(cols[place]) * index.outputs + (output - index.row_ptr);
  });
}

// Gives the places of those that were dropped to the best of them and of the
// candidates.
void grow_best(const RiglIndex& index, const float* dvalues,
               const Dropped& dropped, uint8_t* stays, Candidates& candidates,
               Arena& arena) {
  const size_t drop = dropped.size;
  auto* keys = arena.take<int32_t>(drop);
  for (size_t i = 0; i < drop; i++) {
    keys[i] = magnitude_key(dvalues[dropped.places[i]]);
  }
  auto* memory = arena.take<int32_t>(drop + candidates.size + 2);
  const auto key = [&](size_t i) {
    return i < drop ? keys[i] : candidates.keys[i - drop];
  };
  const Highest highest(drop + candidates.size, drop, key, memory);

  auto* tied = memory;
  auto* tied_candidates = memory + drop + 1;
  size_t tied_count = 0, tied_candidate_count = 0;
  for (size_t i = 0; i < drop; i++) {
    stays[dropped.places[i]] = keys[i] > highest.threshold();
    tied[tied_count] = dropped.places[i];
    tied_count += keys[i] == highest.threshold();
  }
  for (size_t i = 0; i < candidates.size; i++) {
    candidates.taken[i] = candidates.keys[i] > highest.threshold();
    tied_candidates[tied_candidate_count] = int32_t(i);
    tied_candidate_count += candidates.keys[i] == highest.threshold();
  }

  // Of equal ones the first, wherever it comes from.
  std::vector<std::pair<int64_t, uint8_t*>> equal;
  equal.reserve(tied_count + tied_candidate_count);
  for (size_t i = 0; i < tied_count; i++) {
    equal.emplace_back(position_of(index, tied[i]), &stays[tied[i]]);
  }
  for (size_t i = 0; i < tied_candidate_count; i++) {
    const int32_t own = tied_candidates[i];
    equal.emplace_back(candidates.positions[own], &candidates.taken[own]);
  }
  const size_t ties = std::min(highest.ties(), equal.size());
  if (ties < equal.size()) std::sort(equal.begin(), equal.end());
  for (size_t i = 0; i < ties; i++) *equal[i].second = true;
}

// Connections of one input: their outputs, which ascend between two sentinels.
struct Row {
  int32_t* outputs;
  int count;
};

// Merges what stays of a row, whose places in the old values are given, and
// what was grown. Writes outputs and places, -1 for those that were grown, and
// counts the connections of each output. Returns whether outputs ascend, so
// that none is there twice.
//
// From both ends at once: each step waits for the one before, on its own side.
template <class TColumn>
bool merge_rows(const Row& old, const int32_t* old_places, const Row& grown,
                TColumn* outputs, int32_t* places, int32_t* counts) {
  bool ascend = true;
  const auto write = [&](int k, bool is_old, int32_t output, int32_t place) {
    places[k] = place | (int32_t(is_old) - 1);
    outputs[k] = TColumn(output);
    counts[output]++;
  };
  int first = 0, first_grown = 0, low = -1;
  const auto take_first = [&](int k) {
    const int32_t one = old.outputs[first], other = grown.outputs[first_grown];
    const bool is_old = one < other;
    const int32_t output = is_old ? one : other;
    write(k, is_old, output, old_places[first]);
    ascend &= output > low;
    low = output;
    first += is_old;
    first_grown += !is_old;
  };
  int last = old.count - 1, last_grown = grown.count - 1, high = INT32_MAX;
  const auto take_last = [&](int k) {
    const int32_t one = old.outputs[last], other = grown.outputs[last_grown];
    const bool is_old = one > other;
    const int32_t output = is_old ? one : other;
    write(k, is_old, output, old_places[last]);
    ascend &= output < high;
    high = output;
    last -= is_old;
    last_grown -= !is_old;
  };

  const int count = old.count + grown.count;
  for (int k = 0; k < count / 2; k++) {
    take_first(k);
    take_last(count - 1 - k);
  }
  if (count % 2) take_first(count / 2);
  return ascend && low < high;
}

// Merges, input by input, what stays and what was taken. Writes t_ptr, t_cols,
// and where each value comes from: its old place, or -1. Counts row_ptr.
template <class TColumn>
const char* merge(const RiglIndex& index, const TColumn* t_cols,
                  const uint8_t* stays, const Candidates& candidates,
                  Arena& arena, const RiglNewIndex& new_index,
                  TColumn* new_t_cols, int32_t* sources) {
  // Behind a sentinel that is lower than all outputs, with room for a higher
  // one. The sentinels of what stays have a place, too, which is read.
  const auto make = [&] {
    auto* array = arena.take<int32_t>(index.outputs + 2);
    array[0] = -1;
    return array + 1;
  };
  Row old{make(), 0}, grown{make(), 0};
  auto* old_places = make();
  std::fill_n(new_index.row_ptr, index.outputs + 1, 0);

  int written = 0;
  size_t candidate = 0;
  for (int input = 0; input < index.inputs; input++) {
    const int begin = index.t_ptr[input], end = index.t_ptr[input + 1];
    if (end - begin > index.outputs) return kNotDistinct;
    old.count = 0;
    for (int j = begin; j < end; j++) {
      const int32_t place = index.t_perm[j];
      old.outputs[old.count] = t_cols[j];
      old_places[old.count] = place;
      old.count += stays[place];
    }
    old.outputs[old.count] = INT32_MAX;
    old_places[old.count] = -1;

    const int64_t start = int64_t(input) * index.outputs;
    grown.count = 0;
    for (; candidate < candidates.size &&
           candidates.positions[candidate] < start + index.outputs;
         candidate++) {
      grown.outputs[grown.count] =
          int32_t(candidates.positions[candidate] - start);
      grown.count += candidates.taken[candidate];
    }
    grown.outputs[grown.count] = INT32_MAX;

    const int count = old.count + grown.count;
    if (count > index.connections - written) return kNotPermuted;
    if (!merge_rows(old, old_places, grown, new_t_cols + written,
                    sources + written, new_index.row_ptr + 1)) {
      return kNotDistinct;
    }
    new_index.t_ptr[input] = written;
    written += count;
  }
  new_index.t_ptr[index.inputs] = written;
  return written == index.connections ? nullptr : kNotPermuted;
}

// Distributes the inputs to their outputs: cols, t_perm and order.
template <class Column, class TColumn>
void distribute(const RiglNewIndex& index, const TColumn* t_cols,
                const int32_t* sources, int32_t* cursors, Column* cols,
                int32_t* order) {
  for (int output = 0; output < index.outputs; output++) {
    index.row_ptr[output + 1] += index.row_ptr[output];
    cursors[output] = index.row_ptr[output];
  }
  for (int input = 0; input < index.inputs; input++) {
    for (int j = index.t_ptr[input]; j < index.t_ptr[input + 1]; j++) {
      const int place = cursors[t_cols[j]]++;
      index.t_perm[j] = place;
      cols[place] = Column(input);
      order[place] = sources[j];
    }
  }
}

// Writes the index of what stays and what was taken, and where each value
// comes from. `sources` is memory for one of each connection.
const char* write_index(const RiglIndex& index, const uint8_t* stays,
                        const Candidates& candidates, int32_t* sources,
                        Arena& arena, const RiglNewIndex& new_index,
                        int32_t* order) {
  const auto write = [&](auto* t_cols) {
    using TColumn = std::remove_const_t<std::remove_pointer_t<decltype(t_cols)>>;
    auto* new_t_cols = static_cast<TColumn*>(new_index.t_cols);
    const char* error = merge(index, t_cols, stays, candidates, arena,
                              new_index, new_t_cols, sources);
    if (error) return error;
    auto* cursors = arena.take<int32_t>(index.outputs);
    with_columns(new_index.cols, new_index.column_bytes, [&](auto* cols) {
      distribute(new_index, new_t_cols, sources, cursors, cols, order);
    });
    return error;
  };
  return with_columns(index.t_cols, index.t_column_bytes, write);
}

bool have_same_sizes(const RiglIndex& index, const RiglNewIndex& new_index) {
  return index.inputs == new_index.inputs &&
         index.outputs == new_index.outputs &&
         index.connections == new_index.connections &&
         index.column_bytes == new_index.column_bytes &&
         index.t_column_bytes == new_index.t_column_bytes;
}

const char* check_candidates(const RiglIndex& index, const int64_t* positions,
                             int64_t count) {
  for (int64_t i = 1; i < count; i++) {
    if (positions[i] <= positions[i - 1]) return "candidates must ascend";
  }
  const int64_t end = int64_t(index.inputs) * index.outputs;
  if (count > 0 && (positions[0] < 0 || positions[count - 1] >= end)) {
    return "candidates must be below inputs · outputs, and not negative";
  }
  return nullptr;
}

const char* drop_and_grow(const RiglIndex& index, const float* values,
                          const float* dvalues, const int64_t* positions,
                          const float* scores, int64_t count, int64_t drop,
                          const RiglNewIndex& new_index, int32_t* order) {
  if (const char* error = check_forward(index)) return error;
  if (const char* error = check_transposed(index)) return error;
  if (const char* error = check_permutation(index)) return error;
  if (!have_same_sizes(index, new_index)) {
    return "the new index must have the sizes and types of the old one";
  }
  drop = std::clamp<int64_t>(drop, 0, index.connections);
  if (count < drop) {
    return "candidates must be as many as connections are dropped";
  }
  if (!all_finite(dvalues, index.connections) || !all_finite(scores, count)) {
    drop = 0;
  }
  // Those that are -1, where fewer are inactive, come last.
  while (count > 0 && positions[count - 1] < 0) count--;
  if (const char* error = check_candidates(index, positions, count)) {
    return error;
  }

  const size_t size = index.connections;
  Arena arena(arena_bytes(size, drop, count, index));
  auto* memory = arena.take<int32_t>(size);
  auto* stays = arena.take<uint8_t>(size);
  Dropped dropped{size_t(drop), arena.take<int32_t>(drop + 1)};
  Candidates candidates{size_t(count), positions, arena.take<int32_t>(count),
                        arena.take<uint8_t>(count)};
  for (int64_t i = 0; i < count; i++) {
    candidates.keys[i] = magnitude_key(scores[i]);
  }

  keep_largest(index, values, memory, stays, dropped);
  grow_best(index, dvalues, dropped, stays, candidates, arena);
  return write_index(index, stays, candidates, memory, arena, new_index, order);
}

}  // namespace
}  // namespace rigl

const char* rigl_drop_and_grow(const RiglIndex* index, const float* values,
                               const float* dvalues, const int64_t* candidates,
                               const float* scores, int64_t candidate_count,
                               int64_t drop, const RiglNewIndex* new_index,
                               int32_t* order) {
  return rigl::guarded([&] {
    return rigl::drop_and_grow(*index, values, dvalues, candidates, scores,
                               candidate_count, drop, *new_index, order);
  });
}
