// One update of the connections: drop, grow, and the new index.

#include <algorithm>
#include <vector>

#include "bounds.h"
#include "ranking.h"
#include "reindex.h"
#include "rigl.h"

namespace rigl {
namespace {

// Loops here write their results without branches, which could not be
// predicted: one place more than is counted.

constexpr int64_t kEnd = INT64_MAX;  // after the last position of a list

// Old connections, in order of their positions.
struct Old {
  std::vector<int64_t> positions;
  std::vector<uint8_t> stays;
};

// Positions that may become connections, ascending.
struct Candidates {
  const int64_t* positions;
  std::vector<int32_t> keys;  // of their scores
  std::vector<uint8_t> taken;
};

bool all_finite(const float* scores, int64_t count) {
  bool finite = true;
  for (int64_t i = 0; i < count; i++) finite &= is_finite(scores[i]);
  return finite;
}

// Lets those of largest |value| stay, and returns the places of the others.
std::vector<int32_t> keep_largest(const RiglIndex& index, const float* values,
                                  size_t drop, Old& old) {
  const size_t size = index.connections;
  std::vector<int32_t> keys(size);
  for (size_t i = 0; i < size; i++) {
    keys[i] = magnitude_key(values[index.t_perm[i]]);
  }

  Highest highest(size, size - drop, [&](size_t i) { return keys[i]; });
  std::vector<int32_t> dropped(drop + 1);
  size_t count = 0;
  for (size_t i = 0; i < size; i++) {
    const bool stays = highest.includes(keys[i]);
    old.stays[i] = stays;
    dropped[count] = int32_t(i);
    count += !stays;
  }
  dropped.pop_back();
  return dropped;
}

// Gives the places of those that were dropped to the best of them and of the
// candidates.
void grow_best(const RiglIndex& index, const float* dvalues,
               const std::vector<int32_t>& dropped, Old& old,
               Candidates& candidates) {
  const size_t drop = dropped.size();
  std::vector<int32_t> keys(drop);
  for (size_t i = 0; i < drop; i++) {
    keys[i] = magnitude_key(dvalues[index.t_perm[dropped[i]]]);
  }
  const Highest highest(
      drop + candidates.keys.size(), drop, [&](size_t i) {
        return i < drop ? keys[i] : candidates.keys[i - drop];
      });

  std::vector<int32_t> tied, tied_candidates;
  for (size_t i = 0; i < drop; i++) {
    old.stays[dropped[i]] = keys[i] > highest.threshold();
    if (keys[i] == highest.threshold()) tied.push_back(dropped[i]);
  }
  for (size_t i = 0; i < candidates.keys.size(); i++) {
    candidates.taken[i] = candidates.keys[i] > highest.threshold();
    if (candidates.keys[i] == highest.threshold()) {
      tied_candidates.push_back(int32_t(i));
    }
  }

  // Of equal ones the first, wherever it comes from.
  size_t i = 0, j = 0;
  for (size_t ties = highest.ties(); ties > 0; ties--) {
    const int64_t own = i < tied.size() ? old.positions[tied[i]] : kEnd;
    const int64_t other =
        j < tied_candidates.size() ? candidates.positions[tied_candidates[j]]
                                   : kEnd;
    if (own < other) {
      old.stays[tied[i++]] = true;
    } else {
      candidates.taken[tied_candidates[j++]] = true;
    }
  }
}

// Writes the index of what stays and what was taken, and where each value
// comes from.
const char* write_index(const RiglIndex& index, const Old& old,
                        const Candidates& candidates,
                        const RiglNewIndex& new_index, int32_t* order) {
  const size_t size = index.connections;
  std::vector<int64_t> staying(size + 1), taken(candidates.keys.size() + 1);
  std::vector<int32_t> sources(size + 1);
  size_t count = 0, taken_count = 0;
  for (size_t i = 0; i < size; i++) {
    staying[count] = old.positions[i];
    sources[count] = index.t_perm[i];
    count += old.stays[i];
  }
  for (size_t i = 0; i < candidates.keys.size(); i++) {
    taken[taken_count] = candidates.positions[i];
    taken_count += candidates.taken[i];
  }
  staying[count] = taken[taken_count] = kEnd;

  std::vector<int64_t> positions(size);
  std::vector<int32_t> all_sources(size);
  size_t i = 0, j = 0;
  for (size_t k = 0; k < size; k++) {
    const bool stays = staying[i] < taken[j];
    positions[k] = stays ? staying[i] : taken[j];
    all_sources[k] = stays ? sources[i] : -1;
    i += stays;
    j += !stays;
  }

  const char* error = reindex(positions.data(), new_index, order);
  if (error) return error;
  for (size_t k = 0; k < size; k++) order[k] = all_sources[order[k]];
  return nullptr;
}

const char* drop_and_grow(const RiglIndex& index, const float* values,
                          const float* dvalues, const int64_t* positions,
                          const float* scores, int64_t count, int64_t drop,
                          const RiglNewIndex& new_index, int32_t* order) {
  if (const char* error = check_transposed(index)) return error;
  if (const char* error = check_permutation(index)) return error;
  drop = std::clamp<int64_t>(drop, 0, index.connections);
  if (count < drop) {
    return "candidates must be as many as connections are dropped";
  }
  if (!all_finite(dvalues, index.connections) || !all_finite(scores, count)) {
    drop = 0;
  }

  // Those that are -1, where fewer are inactive, come last.
  while (count > 0 && positions[count - 1] < 0) count--;
  for (int64_t i = 1; i < count; i++) {
    if (positions[i] <= positions[i - 1]) return "candidates must ascend";
  }
  Candidates candidates{positions, std::vector<int32_t>(count),
                        std::vector<uint8_t>(count)};
  for (int64_t i = 0; i < count; i++) {
    candidates.keys[i] = magnitude_key(scores[i]);
  }

  Old old{std::vector<int64_t>(index.connections),
          std::vector<uint8_t>(index.connections)};
  list_positions(index, old.positions.data());
  const auto dropped = keep_largest(index, values, size_t(drop), old);
  grow_best(index, dvalues, dropped, old, candidates);
  return write_index(index, old, candidates, new_index, order);
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
