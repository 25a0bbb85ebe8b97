// One update of the connections: drop, grow, and the new index.

#include <algorithm>
#include <cstdint>

#include "bounds.h"
#include "ranking.h"
#include "reindex.h"
#include "rigl.h"
#include "scratch.h"

namespace rigl {
namespace {

// Loops here write their results without branches, which could not be
// predicted: one place more than is counted. Their arrays are from one arena,
// because fresh pages would take a third of an update.

constexpr int64_t kEnd = INT64_MAX;  // after the last position of a list

// Old connections, in order of their positions.
struct Old {
  size_t size;
  int64_t* positions;  // [size + 1]
  uint8_t* stays;      // [size]
};

// Positions that may become connections, ascending.
struct Candidates {
  size_t size;
  const int64_t* positions;
  int32_t* keys;   // of their scores
  uint8_t* taken;  // [size]
};

// Places of old connections that are dropped unless they grow back.
struct Dropped {
  size_t size;
  int32_t* places;  // [size + 1]
};

size_t arena_bytes(size_t size, size_t drop, size_t candidates) {
  const size_t per_connection = sizeof(int64_t) * 2 + sizeof(int32_t) * 2 + 1;
  const size_t per_candidate = sizeof(int32_t) * 2 + sizeof(int64_t) + 1;
  return size * per_connection + drop * sizeof(int32_t) * 3 +
         candidates * per_candidate + 64;
}

bool all_finite(const float* scores, int64_t count) {
  bool finite = true;
  for (int64_t i = 0; i < count; i++) finite &= is_finite(scores[i]);
  return finite;
}

// Lets those of largest |value| stay, and lists the others. `keys` is memory
// for one of each connection.
void keep_largest(const RiglIndex& index, const float* values, int32_t* keys,
                  Old& old, Dropped& dropped) {
  for (size_t i = 0; i < old.size; i++) {
    keys[i] = magnitude_key(values[index.t_perm[i]]);
  }

  Highest highest(old.size, old.size - dropped.size,
                  [&](size_t i) { return keys[i]; });
  size_t count = 0;
  for (size_t i = 0; i < old.size; i++) {
    const bool stays = highest.includes(keys[i]);
    old.stays[i] = stays;
    dropped.places[count] = int32_t(i);
    count += !stays;
  }
}

// Gives the places of those that were dropped to the best of them and of the
// candidates.
void grow_best(const RiglIndex& index, const float* dvalues,
               const Dropped& dropped, Old& old, Candidates& candidates,
               Arena& arena) {
  const size_t drop = dropped.size;
  auto* keys = arena.take<int32_t>(drop);
  for (size_t i = 0; i < drop; i++) {
    keys[i] = magnitude_key(dvalues[index.t_perm[dropped.places[i]]]);
  }
  const Highest highest(drop + candidates.size, drop, [&](size_t i) {
    return i < drop ? keys[i] : candidates.keys[i - drop];
  });

  auto* tied = arena.take<int32_t>(drop + 1);
  auto* tied_candidates = arena.take<int32_t>(candidates.size + 1);
  size_t tied_count = 0, tied_candidate_count = 0;
  for (size_t i = 0; i < drop; i++) {
    old.stays[dropped.places[i]] = keys[i] > highest.threshold();
    tied[tied_count] = dropped.places[i];
    tied_count += keys[i] == highest.threshold();
  }
  for (size_t i = 0; i < candidates.size; i++) {
    candidates.taken[i] = candidates.keys[i] > highest.threshold();
    tied_candidates[tied_candidate_count] = int32_t(i);
    tied_candidate_count += candidates.keys[i] == highest.threshold();
  }

  // Of equal ones the first, wherever it comes from.
  const size_t equal = tied_count + tied_candidate_count;
  size_t i = 0, j = 0;
  for (size_t ties = std::min(highest.ties(), equal); ties > 0; ties--) {
    const int64_t own = i < tied_count ? old.positions[tied[i]] : kEnd;
    const int64_t other = j < tied_candidate_count
                              ? candidates.positions[tied_candidates[j]]
                              : kEnd;
    if (own < other) {
      old.stays[tied[i++]] = true;
    } else {
      candidates.taken[tied_candidates[j++]] = true;
    }
  }
}

// Writes the index of what stays and what was taken, and where each value
// comes from. `sources` is memory for one of each connection.
const char* write_index(const RiglIndex& index, Old& old,
                        const Candidates& candidates, int32_t* sources,
                        Arena& arena, const RiglNewIndex& new_index,
                        int32_t* order) {
  // In place: what stays moves to the front.
  auto* staying = arena.take<int32_t>(old.size + 1);
  size_t count = 0;
  for (size_t i = 0; i < old.size; i++) {
    old.positions[count] = old.positions[i];
    staying[count] = index.t_perm[i];
    count += old.stays[i];
  }
  old.positions[count] = kEnd;

  auto* taken = arena.take<int64_t>(candidates.size + 1);
  size_t taken_count = 0;
  for (size_t i = 0; i < candidates.size; i++) {
    taken[taken_count] = candidates.positions[i];
    taken_count += candidates.taken[i];
  }
  taken[taken_count] = kEnd;

  auto* positions = arena.take<int64_t>(old.size);
  size_t i = 0, j = 0;
  for (size_t k = 0; k < old.size; k++) {
    const bool stays = old.positions[i] < taken[j];
    positions[k] = stays ? old.positions[i] : taken[j];
    sources[k] = stays ? staying[i] : -1;
    i += stays;
    j += !stays;
  }

  const char* error = reindex(positions, new_index, order);
  if (error) return error;
  for (size_t k = 0; k < old.size; k++) order[k] = sources[order[k]];
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

  const size_t size = index.connections;
  Arena arena(arena_bytes(size, drop, count));
  auto* memory = arena.take<int32_t>(size);
  Old old{size, arena.take<int64_t>(size + 1), arena.take<uint8_t>(size)};
  Dropped dropped{size_t(drop), arena.take<int32_t>(drop + 1)};
  Candidates candidates{size_t(count), positions, arena.take<int32_t>(count),
                        arena.take<uint8_t>(count)};
  for (int64_t i = 0; i < count; i++) {
    candidates.keys[i] = magnitude_key(scores[i]);
  }

  list_positions(index, old.positions);
  keep_largest(index, values, memory, old, dropped);
  grow_best(index, dvalues, dropped, old, candidates, arena);
  return write_index(index, old, candidates, memory, arena, new_index, order);
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
