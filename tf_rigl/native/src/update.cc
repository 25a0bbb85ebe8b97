// One update of the connections: drop, grow, and the new index.

#include <algorithm>
#include <vector>

#include "bounds.h"
#include "ranking.h"
#include "reindex.h"
#include "rigl.h"

namespace rigl {
namespace {

// A connection of the new index, or one that may become one.
struct Connection {
  int64_t position;
  int32_t source;  // which of the old values it has, or -1
  int32_t key;     // of its score
};

using Connections = std::vector<Connection>;

bool by_position(const Connection& a, const Connection& b) {
  return a.position < b.position;
}

bool all_finite(const float* scores, int64_t count) {
  return std::all_of(scores, scores + count, is_finite);
}

Connections list_connections(const RiglIndex& index, const float* values,
                             const char*& error) {
  std::vector<int64_t> positions(index.connections);
  std::vector<int32_t> order(index.connections);
  error = positions_of(index, positions.data(), order.data());
  Connections all(error ? 0 : index.connections);
  for (size_t i = 0; i < all.size(); i++) {
    all[i] = {positions[i], order[i], magnitude_key(values[order[i]])};
  }
  return all;
}

Connections list_candidates(const int64_t* positions, const float* scores,
                            int64_t count) {
  Connections all;
  all.reserve(count);
  for (int64_t i = 0; i < count && positions[i] >= 0; i++) {
    all.push_back({positions[i], -1, magnitude_key(scores[i])});
  }
  return all;
}

// Splits connections, in order of their positions, into the `count` of highest
// score and the others; both stay in order, and ties go to the first.
void split(const Connections& all, size_t count, Connections& best,
           Connections& others) {
  std::vector<uint64_t> ranks(all.size());
  for (size_t i = 0; i < all.size(); i++) ranks[i] = rank(all[i].key, i);
  const uint64_t lowest = lowest_of_highest(ranks, count);

  best.reserve(count);
  others.reserve(all.size() - std::min(count, all.size()));
  for (size_t i = 0; i < all.size(); i++) {
    (rank(all[i].key, i) >= lowest ? best : others).push_back(all[i]);
  }
}

Connections merge(const Connections& a, const Connections& b) {
  Connections all(a.size() + b.size());
  std::merge(a.begin(), a.end(), b.begin(), b.end(), all.begin(), by_position);
  return all;
}

const char* write_index(const Connections& all, const RiglNewIndex& index,
                        int32_t* order) {
  std::vector<int64_t> positions(all.size());
  for (size_t i = 0; i < all.size(); i++) positions[i] = all[i].position;
  const char* error = reindex(positions.data(), index, order);
  if (error) return error;
  for (size_t i = 0; i < all.size(); i++) order[i] = all[order[i]].source;
  return nullptr;
}

const char* drop_and_grow(const RiglIndex& index, const float* values,
                          const float* dvalues, const int64_t* candidates,
                          const float* scores, int64_t candidate_count,
                          int64_t drop, const RiglNewIndex& new_index,
                          int32_t* order) {
  const char* error;
  const Connections all = list_connections(index, values, error);
  if (error) return error;

  drop = std::clamp<int64_t>(drop, 0, index.connections);
  const Connections outside =
      list_candidates(candidates, scores, candidate_count);
  if (candidate_count < drop) {
    return "candidates must be as many as connections are dropped";
  }
  if (!std::is_sorted(outside.begin(), outside.end(), by_position)) {
    return "candidates must ascend";
  }
  if (!all_finite(dvalues, index.connections) ||
      !all_finite(scores, candidate_count)) {
    return write_index(all, new_index, order);
  }

  Connections kept, dropped;
  split(all, size_t(index.connections - drop), kept, dropped);
  for (Connection& one : dropped) one.key = magnitude_key(dvalues[one.source]);
  Connections grown, rest;
  split(merge(dropped, outside), size_t(drop), grown, rest);
  return write_index(merge(kept, grown), new_index, order);
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
